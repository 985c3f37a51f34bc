//! Who asks: what of an identity policies can speak of.

use std::fmt;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// An account's root.
    Root {
        /// The account, twelve digits.
        account: String,
    },
    /// An IAM user.
    User {
        /// Its account.
        account: String,
        /// `arn:aws:iam::…:user/path/name`.
        arn: String,
    },
    /// A session of a role.
    Session {
        /// The role's account.
        account: String,
        /// `arn:aws:sts::…:assumed-role/name/session`.
        arn: String,
        /// `arn:aws:iam::…:role/path/name`.
        role_arn: String,
    },
    /// Somebody whom an identity provider vouches for, who assumes a role.
    Federated {
        /// The provider: its resource name, or a name as `accounts.google.com`.
        provider: String,
    },
    /// A service, `lambda.amazonaws.com`.
    Service {
        /// Its name in policies.
        name: String,
    },
}

impl Caller {
    /// The account that it belongs to.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Root { account } | Self::User { account, .. } | Self::Session { account, .. } => {
                Some(account)
            }
            Self::Anonymous | Self::Federated { .. } | Self::Service { .. } => None,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Root { account } => write!(f, "arn:aws:iam::{account}:root"),
            Self::User { arn, .. } | Self::Session { arn, .. } => f.write_str(arn),
            Self::Federated { provider } => f.write_str(provider),
            Self::Service { name } => f.write_str(name),
        }
    }
}
