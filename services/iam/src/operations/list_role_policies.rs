//! `ListRolePolicies`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{ListRolePolicies, ListRolePoliciesRequest, ListRolePoliciesResponse};
use apus_schema::ServiceError;

use super::permitted;
use crate::Iam;
use crate::errors::IamError;
use crate::page::PageRequest;

pub(crate) const ACCESS: Access<ListRolePolicies> = Access::free("iam:ListRolePolicies");

pub(crate) async fn list_role_policies(
    iam: Arc<Iam>,
    context: Context,
    input: ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse, ServiceError> {
    let request = PageRequest::new(input.marker, input.max_items).map_err(IamError::from)?;
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    let page = request.of(role.inline_policies.into_keys(), Clone::clone);
    Ok(ListRolePoliciesResponse {
        policy_names: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}
