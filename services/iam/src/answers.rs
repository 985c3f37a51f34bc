//! Roles, in the words of IAM's model.

use apus_kernel::AccountId;
use apus_model_iam as model;

use crate::documents::encoded;
use crate::role::Role;

/// A role whole, as `GetRole` shows it.
pub(crate) fn described(role: &Role, account: AccountId) -> model::Role {
    let tag = |(key, value): &(String, String)| model::Tag { key: key.clone(), value: value.clone() };
    let tags = (!role.tags.is_empty()).then(|| role.tags.iter().map(tag).collect());
    model::Role { tags, ..listed(role, account) }
}

/// A role without its tags, as `ListRoles` shows it.
pub(crate) fn listed(role: &Role, account: AccountId) -> model::Role {
    model::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role.arn(account).to_string(),
        create_date: role.created_at,
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        description: role.description.clone(),
        max_session_duration: Some(role.session_seconds_max),
        permissions_boundary: None,
        tags: None,
        role_last_used: None,
        source_role_template: None,
    }
}
