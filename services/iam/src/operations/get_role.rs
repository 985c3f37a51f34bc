//! `GetRole`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{GetRole, GetRoleRequest, GetRoleResponse};
use apus_schema::ServiceError;

use super::permitted;
use crate::Iam;
use crate::answers::described;

pub(crate) const ACCESS: Access<GetRole> = Access::free("iam:GetRole");

pub(crate) async fn get_role(
    iam: Arc<Iam>,
    context: Context,
    input: GetRoleRequest,
) -> Result<GetRoleResponse, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    Ok(GetRoleResponse { role: described(&role, context.caller.account) })
}
