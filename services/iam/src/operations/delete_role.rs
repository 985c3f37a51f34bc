//! `DeleteRole`. Sessions of the role lose their permissions at once: the authorizer finds no role of their id.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{DeleteRole, DeleteRoleRequest};
use apus_schema::{ServiceError, Unit};

use super::permitted;
use crate::{Iam, store};

pub(crate) const ACCESS: Access<DeleteRole> = Access::free("iam:DeleteRole");

pub(crate) async fn delete_role(
    iam: Arc<Iam>,
    context: Context,
    input: DeleteRoleRequest,
) -> Result<Unit, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    store::remove(&iam.store, context.caller.account, &role).await?;
    Ok(Unit)
}
