//! `GetRolePolicy`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{GetRolePolicy, GetRolePolicyRequest, GetRolePolicyResponse};
use apus_schema::ServiceError;

use super::permitted;
use crate::Iam;
use crate::documents::encoded;
use crate::errors::IamError;

pub(crate) const ACCESS: Access<GetRolePolicy> = Access::free("iam:GetRolePolicy");

pub(crate) async fn get_role_policy(
    iam: Arc<Iam>,
    context: Context,
    input: GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    let document = role.inline_policy(&input.policy_name).map_err(IamError::from)?;
    let policy_document = encoded(document);
    Ok(GetRolePolicyResponse { role_name: role.name, policy_name: input.policy_name, policy_document })
}
