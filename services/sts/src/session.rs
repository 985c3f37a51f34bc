//! A role's session: what a session token says, and whom it makes the caller.

use std::fmt;

use apus_kernel::{AccountId, Credential, Principal};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

/// A session of a role, whole: nothing of it is stored, its token carries it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Session {
    /// `ASIA…`.
    #[n(0)]
    pub(crate) access_key: String,
    /// What requests are signed with.
    #[n(1)]
    pub(crate) secret: String,
    /// Whose role: twelve digits.
    #[n(2)]
    pub(crate) account: String,
    /// The role's name.
    #[n(3)]
    pub(crate) role: String,
    /// `AROA…`: a role made anew under the same name is another.
    #[n(4)]
    pub(crate) role_id: String,
    /// The session's name.
    #[n(5)]
    pub(crate) name: String,
    /// Microseconds since the epoch.
    #[n(6)]
    pub(crate) issued_at_micros: i64,
    /// Microseconds since the epoch.
    #[n(7)]
    pub(crate) expires_at_micros: i64,
    /// The session policy, as JSON.
    #[n(8)]
    pub(crate) policy: Option<String>,
}

impl Session {
    /// From this instant on the credentials are refused.
    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(self.expires_at_micros)
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    /// Whom the session makes the caller; nothing if its account is none, which no token of ours says.
    pub(crate) fn credential(&self) -> Option<Credential> {
        let account: AccountId = self.account.parse().ok()?;
        let principal = Principal::RoleSession {
            account,
            role: self.role.clone(),
            role_id: self.role_id.clone(),
            session: self.name.clone(),
        };
        let session_policy = self.policy.as_deref().map(Into::into);
        Some(Credential { secret: self.secret.clone(), principal, account, session_policy })
    }
}

/// Without the secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("access_key", &self.access_key)
            .field("account", &self.account)
            .field("role", &self.role)
            .field("role_id", &self.role_id)
            .field("name", &self.name)
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
