//! `ListRoles`.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_iam::{ListRoles, ListRolesRequest, ListRolesResponse};
use apus_schema::ServiceError;

use crate::answers::listed;
use crate::errors::IamError;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Iam, store};

pub(crate) const ACCESS: Access<ListRoles> =
    Access::new("iam:ListRoles", |input: &ListRolesRequest, caller| {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        vec![Arn::global("iam", caller.account, format!("role{prefix}")).into()]
    });

pub(crate) async fn list_roles(
    iam: Arc<Iam>,
    context: Context,
    input: ListRolesRequest,
) -> Result<ListRolesResponse, ServiceError> {
    let account = context.caller.account;
    let request = PageRequest::new(input.marker, input.max_items).map_err(IamError::from)?;
    let prefix = input.path_prefix.unwrap_or_else(|| "/".into());
    let roles = store::read_all(&iam.store, account).await.map_err(IamError::from)?;
    let below = roles.into_iter().filter(|role| role.path.starts_with(&prefix));
    let page = request.of(below, |role| Role::key(&role.name));
    Ok(ListRolesResponse {
        roles: page.items.iter().map(|role| listed(role, account)).collect(),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}
