//! `Principal` and `NotPrincipal`: whom a statement speaks of, and how closely it names them.

use crate::Caller;
use crate::arn::{account, is_account};

/// Whom a statement of a resource's policy speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principals {
    Of(Vec<Principal>),
    NotOf(Vec<Principal>),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// `*`.
    Everyone,
    /// An account, which may hand the permission on to its own.
    Account(String),
    /// A user, role or session.
    Arn(String),
    Service(String),
    Federated(String),
    CanonicalUser(String),
}

/// How closely a statement names a caller. A closer grant needs fewer others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closeness {
    /// By its account: the account's own policies must allow it too.
    Account,
    /// By its role, or as one of everybody: a boundary and a session's policies still limit it.
    Indirect,
    /// By its own name: nothing but an explicit denial takes it back.
    Direct,
}

impl Principals {
    /// How closely it names the caller; nothing if it does not.
    pub(crate) fn closeness(&self, caller: &Caller) -> Option<Closeness> {
        match self {
            Self::Of(list) => list.iter().filter_map(|one| one.closeness(caller)).max(),
            // Spared is only who is named in every respect: itself, its role and its account.
            Self::NotOf(list) => {
                let named = |closeness| list.iter().any(|one| one.closeness(caller) == Some(closeness));
                let spared = list.contains(&Principal::Everyone)
                    || match caller {
                        Caller::User { .. } => named(Closeness::Direct) && named(Closeness::Account),
                        Caller::Session { .. } => {
                            [Closeness::Direct, Closeness::Indirect, Closeness::Account]
                                .into_iter()
                                .all(named)
                        }
                        _ => list.iter().any(|one| one.closeness(caller).is_some()),
                    };
                (!spared).then_some(Closeness::Indirect)
            }
        }
    }
}

impl Principal {
    /// Reads an entry of `"AWS"`, `"Service"`, `"Federated"` or `"CanonicalUser"`; nothing if it is none.
    pub(crate) fn parse(kind: &str, text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        match kind {
            "AWS" if text == "*" => Some(Self::Everyone),
            "AWS" if is_account(text) => Some(Self::Account(text.to_owned())),
            // A principal is named in full: AWS refuses wildcards here.
            "AWS" if text.contains(['*', '?']) => None,
            "AWS" if is_root(text) => account(text).map(|account| Self::Account(account.to_owned())),
            "AWS" if is_identity(text) => Some(Self::Arn(text.to_owned())),
            "Service" if !text.contains(['*', '?']) && text.contains('.') => {
                Some(Self::Service(text.to_owned()))
            }
            "Federated" if !text.contains(['*', '?']) => Some(Self::Federated(text.to_owned())),
            "CanonicalUser" if !text.contains(['*', '?']) => Some(Self::CanonicalUser(text.to_owned())),
            _ => None,
        }
    }

    fn closeness(&self, caller: &Caller) -> Option<Closeness> {
        match (self, caller) {
            (Self::Everyone, _) => Some(Closeness::Indirect),
            (Self::Account(account), Caller::Root { account: caller }) => {
                (account == caller).then_some(Closeness::Direct)
            }
            (Self::Account(account), _) => (caller.account() == Some(account)).then_some(Closeness::Account),
            (Self::Arn(arn), Caller::User { arn: caller, .. }) => {
                (arn == caller).then_some(Closeness::Direct)
            }
            (Self::Arn(arn), Caller::Session { arn: caller, role_arn, .. }) => {
                if arn == caller {
                    Some(Closeness::Direct)
                } else {
                    (arn == role_arn).then_some(Closeness::Indirect)
                }
            }
            (Self::Service(name), Caller::Service { name: caller }) => {
                (name == caller).then_some(Closeness::Direct)
            }
            (Self::Federated(name), Caller::Federated { provider }) => {
                (name == provider).then_some(Closeness::Direct)
            }
            (Self::Arn(_) | Self::Service(_) | Self::Federated(_) | Self::CanonicalUser(_), _) => None,
        }
    }
}

fn is_root(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":iam::") && arn.ends_with(":root") && arn.split(':').count() == 6
}

fn is_identity(arn: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, "", owner, resource] = fields[..] else { return false };
    let kinds: &[&str] = match service {
        "iam" => &["user/", "role/"],
        "sts" => &["assumed-role/", "federated-user/"],
        _ => return false,
    };
    !partition.is_empty() && is_account(owner) && kinds.iter().any(|kind| resource.starts_with(kind))
}
