//! `DeleteRolePolicy`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{DeleteRolePolicy, DeleteRolePolicyRequest};
use apus_schema::{ServiceError, Unit};

use super::permitted;
use crate::role::Role;
use crate::{Iam, store};

pub(crate) const ACCESS: Access<DeleteRolePolicy> = Access::free("iam:DeleteRolePolicy");

pub(crate) async fn delete_role_policy(
    iam: Arc<Iam>,
    context: Context,
    input: DeleteRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    let delete = |role: &mut Role| role.delete_inline_policy(&input.policy_name);
    store::change(&iam.store, context.caller.account, &role, delete).await?;
    Ok(Unit)
}
