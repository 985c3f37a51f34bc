//! Whether a role's trust policy lets somebody become it.

use std::collections::BTreeMap;
use std::fmt;

use apus_kernel::{AccountId, Context, Principal};
use apus_schema::ServiceError;

use crate::role::find;

/// What a trust policy says to a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It names the candidate, or everybody.
    OfTheCaller,
    /// It names the candidate's account, which says by its own policies who of it may.
    OfItsAccount,
    /// It names neither, or denies.
    None,
}

/// Who wants to become a role, under every name that a trust policy may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Nothing for a part of the platform.
    pub(crate) account: Option<AccountId>,
    /// A session's own name and its role's, a user's, a service's.
    names: Vec<String>,
}

impl Candidate {
    /// The caller; nothing if it is nobody, or a session of a role that is no more.
    pub(crate) async fn of(context: &Context) -> Result<Option<Self>, ServiceError> {
        let principal = &context.caller.principal;
        let account = principal.account();
        let own = principal.arn().map(|arn| arn.to_string());
        let names = match principal {
            Principal::Anonymous => return Ok(None),
            Principal::Service(name) => vec![(*name).to_owned()],
            // The account's own name: that of the delegation.
            Principal::Root(_) => Vec::new(),
            Principal::User { .. } => own.into_iter().collect(),
            Principal::RoleSession { account, role, role_id, .. } => {
                let role = find(context, *account, role).await?.filter(|role| role.id == *role_id);
                let Some(role) = role else { return Ok(None) };
                own.into_iter().chain([role.arn.to_string()]).collect()
            }
        };
        Ok(Some(Self { account, names }))
    }
}

impl Candidate {
    /// Adds what policies mean by the caller: a session's role, not the session itself.
    pub(crate) fn complete(&self, conditions: &mut BTreeMap<String, Vec<String>>) {
        if self.account.is_some()
            && let Some(name) = self.names.last()
        {
            conditions.insert("aws:PrincipalArn".into(), vec![name.clone()]);
        }
    }
}

/// Bad.
#[derive(Debug)]
pub(crate) struct Unreadable(String);
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unreadable {}

pub(crate) fn decide(
    _document: &str,
    _candidate: &Candidate,
    _conditions: &BTreeMap<String, Vec<String>>,
) -> Result<Trust, Unreadable> {
    Ok(Trust::None)
}
