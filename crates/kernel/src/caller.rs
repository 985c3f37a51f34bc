//! Who is calling: a principal, seen from the account and region that the request is for.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::{AccountId, Arn, Credential, Region};

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// An account's root.
    Root(AccountId),
    /// An IAM user.
    User {
        /// Whose user.
        account: AccountId,
        /// Its name.
        name: String,
        /// `AIDA…`.
        id: String,
    },
    /// A session of a role.
    RoleSession {
        /// Whose role.
        account: AccountId,
        /// The role's name.
        role: String,
        /// `AROA…`.
        role_id: String,
        /// The session's name: a function's name for a function's role.
        session: String,
    },
    /// A part of the platform, under the name that trust policies use: `lambda.amazonaws.com`.
    Service(&'static str),
    /// Nobody in particular.
    Anonymous,
}

impl Principal {
    /// The account that the principal belongs to.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root(account) | Self::User { account, .. } | Self::RoleSession { account, .. } => {
                Some(*account)
            }
            Self::Service(_) | Self::Anonymous => None,
        }
    }

    /// The principal's resource name, as `GetCallerIdentity` and denials show it.
    pub fn arn(&self) -> Option<Arn> {
        match self {
            Self::Root(account) => Some(Arn::global("iam", *account, "root")),
            Self::User { account, name, .. } => Some(Arn::global("iam", *account, format!("user/{name}"))),
            Self::RoleSession { account, role, session, .. } => {
                Some(Arn::global("sts", *account, format!("assumed-role/{role}/{session}")))
            }
            Self::Service(_) | Self::Anonymous => None,
        }
    }

    /// `aws:userid`: the account for its root, `AIDA…`, or `AROA…:session`.
    pub fn user_id(&self) -> Cow<'_, str> {
        match self {
            Self::Root(account) => account.as_str().into(),
            Self::User { id, .. } => id.into(),
            Self::RoleSession { role_id, session, .. } => format!("{role_id}:{session}").into(),
            Self::Service(name) => (*name).into(),
            Self::Anonymous => "anonymous".into(),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.arn()) {
            (_, Some(arn)) => write!(f, "{arn}"),
            (Self::Service(name), _) => f.write_str(name),
            _ => f.write_str("anonymous"),
        }
    }
}

/// A principal calling for an account and a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The account whose resources are meant: the principal's own, unless a resource names another.
    pub account: AccountId,
    /// The region that the request is for, from its signature.
    pub region: Region,
    /// The access key that signed the request.
    pub access_key: Option<String>,
    /// The session policy that bounds what the principal's own policies allow, as JSON.
    pub session_policy: Option<Arc<str>>,
}

impl Caller {
    /// Whoever signed a request for that region with that access key.
    pub fn signed(credential: Credential, access_key: impl Into<String>, region: Region) -> Self {
        let Credential { principal, account, session_policy, .. } = credential;
        Self { principal, account, region, access_key: Some(access_key.into()), session_policy }
    }

    /// An account's root.
    pub fn root(account: AccountId, region: Region) -> Self {
        Self::unsigned(Principal::Root(account), account, region)
    }

    /// A part of the platform, acting for an account.
    pub fn service(name: &'static str, account: AccountId, region: Region) -> Self {
        Self::unsigned(Principal::Service(name), account, region)
    }

    /// Nobody in particular.
    pub fn anonymous(region: Region) -> Self {
        Self::unsigned(Principal::Anonymous, AccountId::DEVELOPMENT, region)
    }

    fn unsigned(principal: Principal, account: AccountId, region: Region) -> Self {
        Self { principal, account, region, access_key: None, session_policy: None }
    }
}
