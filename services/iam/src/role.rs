//! A role: what it is made of, and the bounds of its parts.
//!
//! Bounds are those of the IAM user guide's page on quotas, messages those that IAM sends. What the model
//! constrains (lengths, patterns) was checked before.

use std::collections::BTreeMap;
use std::fmt;

use apus_kernel::{AccountId, Arn};
use apus_time::Timestamp;

/// Characters of a trust policy, white space not counted (quota `ACLSizePerRole`).
pub(crate) const TRUST_POLICY_CHARACTERS_MAX: usize = 2_048;
/// Characters of all inline policies of a role together, white space not counted.
pub(crate) const INLINE_POLICY_CHARACTERS_MAX: usize = 10_240;
/// Bytes of all inline policies of a role as they were sent, white space and all; AWS documents no such bound.
pub(crate) const INLINE_POLICY_BYTES_MAX: usize = 1024 * 1024;
/// Roles of an account (quota `RolesPerAccount`).
pub(crate) const ROLES_MAX: usize = 1_000;
/// The path of a role that is given none.
pub(crate) const ROOT_PATH: &str = "/";
/// Seconds of a session, unless the role says otherwise.
pub(crate) const SESSION_SECONDS_DEFAULT: i32 = 3_600;

/// The letters of ids: nobody mistakes one for another.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Random bytes behind a role's id: one for each letter.
pub(crate) const ID_RANDOM: usize = 17;
/// Tag keys that begin so are AWS's own, in any case.
const RESERVED_TAG_PREFIX: &str = "aws:";

/// A role with its policies. One record: the authorizer reads it at once, and rules on its parts hold in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) path: String,
    /// As it was given; look-ups ignore its case.
    pub(crate) name: String,
    pub(crate) trust_policy: String,
    pub(crate) description: Option<String>,
    pub(crate) session_seconds_max: i32,
    /// In whole seconds, as IAM shows it.
    pub(crate) created_at: Timestamp,
    pub(crate) tags: Vec<(String, String)>,
    /// By name.
    pub(crate) inline_policies: BTreeMap<String, String>,
    /// Counts the changes of the inline policies.
    pub(crate) revision: u64,
}

/// Why a role cannot be as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleError {
    TrustPolicyTooLong,
    InlinePoliciesTooLong { role: String },
    TooManyRoles,
    AlreadyExists { role: String },
    NotFound { role: String },
    PolicyNotFound { policy: String },
    HasPolicies,
    RepeatedTagKey,
    ReservedTagKey,
    InvalidMarker,
}

impl Role {
    /// The name that roles are told apart by: IAM's names differ in more than case.
    pub(crate) fn key(name: &str) -> String {
        name.to_ascii_lowercase()
    }

    pub(crate) fn arn(&self, account: AccountId) -> Arn {
        role_arn(account, &self.path, &self.name)
    }

    pub(crate) fn inline_policy(&self, name: &str) -> Result<&str, RoleError> {
        let document = self.inline_policies.get(name).map(String::as_str);
        document.ok_or_else(|| RoleError::PolicyNotFound { policy: name.to_owned() })
    }

    pub(crate) fn put_inline_policy(&mut self, name: &str, document: String) -> Result<(), RoleError> {
        let others = self.inline_policies.iter().filter(|(other, _)| *other != name);
        let texts = || others.clone().map(|(_, text)| text).chain([&document]);
        let characters: usize = texts().map(|text| counted_characters(text)).sum();
        let bytes: usize = texts().map(String::len).sum();
        if characters > INLINE_POLICY_CHARACTERS_MAX || bytes > INLINE_POLICY_BYTES_MAX {
            return Err(RoleError::InlinePoliciesTooLong { role: self.name.clone() });
        }
        self.inline_policies.insert(name.to_owned(), document);
        self.revision += 1;
        Ok(())
    }

    pub(crate) fn delete_inline_policy(&mut self, name: &str) -> Result<(), RoleError> {
        self.inline_policy(name)?;
        self.inline_policies.remove(name);
        self.revision += 1;
        Ok(())
    }

    /// Whether the role may go.
    pub(crate) fn check_deletable(&self) -> Result<(), RoleError> {
        if self.inline_policies.is_empty() { Ok(()) } else { Err(RoleError::HasPolicies) }
    }
}

/// The resource name of a role at that path.
pub(crate) fn role_arn(account: AccountId, path: &str, name: &str) -> Arn {
    Arn::global("iam", account, format!("role{path}{name}"))
}

pub(crate) fn check_trust_policy(document: &str) -> Result<(), RoleError> {
    let fits = counted_characters(document) <= TRUST_POLICY_CHARACTERS_MAX;
    if fits { Ok(()) } else { Err(RoleError::TrustPolicyTooLong) }
}

/// Keys are unique and not AWS's own.
pub(crate) fn check_tags(tags: &[(String, String)]) -> Result<(), RoleError> {
    let mut seen = std::collections::BTreeSet::new();
    for (key, _) in tags {
        let key = key.to_lowercase();
        if key.starts_with(RESERVED_TAG_PREFIX) {
            return Err(RoleError::ReservedTagKey);
        }
        if !seen.insert(key) {
            return Err(RoleError::RepeatedTagKey);
        }
    }
    Ok(())
}

/// `AROA` and seventeen letters.
pub(crate) fn role_id(random: [u8; ID_RANDOM]) -> String {
    let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
    "AROA".chars().chain(letters).collect()
}

/// IAM does not count white space against its quotas.
fn counted_characters(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustPolicyTooLong => {
                write!(f, "Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS_MAX}")
            }
            Self::InlinePoliciesTooLong { role } => {
                write!(
                    f,
                    "Maximum policy size of {INLINE_POLICY_CHARACTERS_MAX} bytes exceeded for role {role}"
                )
            }
            Self::TooManyRoles => write!(f, "Cannot exceed quota for RolesPerAccount: {ROLES_MAX}"),
            Self::AlreadyExists { role } => write!(f, "Role with name {role} already exists."),
            Self::NotFound { role } => write!(f, "The role with name {role} cannot be found."),
            Self::PolicyNotFound { policy } => {
                write!(f, "The role policy with name {policy} cannot be found.")
            }
            Self::HasPolicies => f.write_str("Cannot delete entity, must delete policies first."),
            Self::RepeatedTagKey => {
                f.write_str("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
            }
            Self::ReservedTagKey => {
                f.write_str("One or more of the tag keys begin with the reserved prefix aws:.")
            }
            Self::InvalidMarker => f.write_str("Invalid Marker."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> Role {
        Role {
            id: role_id([0; ID_RANDOM]),
            path: "/teams/".into(),
            name: "Worker".into(),
            trust_policy: "{}".into(),
            description: None,
            session_seconds_max: SESSION_SECONDS_DEFAULT,
            created_at: Timestamp::EPOCH,
            tags: Vec::new(),
            inline_policies: BTreeMap::new(),
            revision: 0,
        }
    }

    #[test]
    fn a_role_is_named_by_its_path_and_its_id_has_twenty_one_letters() {
        let role = role();
        assert_eq!(
            role.arn(AccountId::DEVELOPMENT).to_string(),
            "arn:aws:iam::000000000000:role/teams/Worker"
        );
        assert_eq!(role.id, "AROAAAAAAAAAAAAAAAAAA");
        assert_eq!(Role::key("Worker"), Role::key("wORKER"));
    }

    #[test]
    fn inline_policies_are_bounded_together_and_white_space_is_free() {
        let mut role = role();
        let text = |length: usize| "x".repeat(length);
        assert_eq!(role.put_inline_policy("a", text(10_000)), Ok(()));
        assert_eq!(role.put_inline_policy("b", format!("{}{}", text(240), " \n\t".repeat(9))), Ok(()));
        let error = role.put_inline_policy("c", text(1)).expect_err("full");
        assert_eq!(error.to_string(), "Maximum policy size of 10240 bytes exceeded for role Worker");
        assert_eq!(role.put_inline_policy("a", text(9_999)), Ok(()), "a policy is replaced, not added");
        assert_eq!(role.put_inline_policy("c", text(1)), Ok(()));
        assert!(
            role.put_inline_policy("b", " ".repeat(INLINE_POLICY_BYTES_MAX)).is_err(),
            "bytes are bounded too"
        );
        assert_eq!(role.revision, 4, "refused changes are none");
    }

    #[test]
    fn a_trust_policy_is_bounded() {
        assert_eq!(check_trust_policy(&"x".repeat(2_048)), Ok(()));
        assert_eq!(check_trust_policy(&"x ".repeat(2_048)), Ok(()));
        assert_eq!(check_trust_policy(&"x".repeat(2_049)), Err(RoleError::TrustPolicyTooLong));
    }

    #[test]
    fn tag_keys_are_unique_whatever_their_case_and_never_awss() {
        let check = |keys: &[&str]| {
            check_tags(&keys.iter().map(|key| ((*key).to_owned(), String::new())).collect::<Vec<_>>())
        };
        assert_eq!(check(&["a", "b", "aws"]), Ok(()));
        assert_eq!(check(&["a", "A"]), Err(RoleError::RepeatedTagKey));
        assert_eq!(check(&["AWS:x"]), Err(RoleError::ReservedTagKey));
    }
}
