//! A role's session: what a session token says, and whom it makes the caller.

use std::fmt;
use std::time::Duration;

use apus_kernel::{AccountId, Credential, Principal};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::errors::StsError;

/// Seconds of a session, unless the caller asks for more or less.
pub(crate) const SECONDS_DEFAULT: i32 = 3_600;
/// Seconds of a session that another session has asked for.
const CHAINED_SECONDS_MAX: i32 = 3_600;

/// How long a session is asked for; the model bounds it to 900 to 43,200 seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRequest {
    pub(crate) seconds: Option<i32>,
    pub(crate) role_seconds_max: i32,
    /// A session asks: roles that are assumed by role chaining end after an hour.
    pub(crate) chained: bool,
}

impl SessionRequest {
    /// How long the session will be.
    pub(crate) fn seconds(self) -> Result<i32, StsError> {
        let seconds = self.seconds.unwrap_or(SECONDS_DEFAULT);
        if seconds > self.role_seconds_max {
            Err(StsError::BeyondTheRolesMaximum)
        } else if self.chained && seconds > CHAINED_SECONDS_MAX {
            Err(StsError::BeyondTheChainsMaximum)
        } else {
            Ok(seconds)
        }
    }
}

/// When a session that begins now is over: on a whole second, for callers read no finer.
pub(crate) fn expiry(now: Timestamp, seconds: i32) -> Timestamp {
    Timestamp::from_secs(now.as_secs()) + Duration::from_secs(seconds.unsigned_abs().into())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_as_long_as_asked_within_its_bounds() {
        use StsError::{BeyondTheChainsMaximum, BeyondTheRolesMaximum};
        for (seconds, role_seconds_max, chained, expected) in [
            (None, 3_600, false, Ok(3_600)),
            (None, 43_200, true, Ok(3_600)),
            (Some(900), 3_600, false, Ok(900)),
            (Some(3_600), 3_600, true, Ok(3_600)),
            (Some(3_601), 3_600, false, Err(BeyondTheRolesMaximum)),
            (Some(3_601), 43_200, true, Err(BeyondTheChainsMaximum)),
            (Some(43_200), 43_200, false, Ok(43_200)),
        ] {
            let request = SessionRequest { seconds, role_seconds_max, chained };
            assert_eq!(request.seconds(), expected, "{request:?}");
        }
        assert_eq!(expiry(Timestamp::from_millis(1_999), 900), Timestamp::from_secs(901));
    }
}
