//! `AddPermission`: a statement of the queue's policy, by its label.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{AddPermission, AddPermissionRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::permissions::Permission;
use crate::queue::{Command, CommandError};

pub(crate) const ACCESS: Access<AddPermission> =
    Access::new("sqs:AddPermission", |input: &AddPermissionRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn add_permission(
    sqs: Arc<Sqs>,
    context: Context,
    input: AddPermissionRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let permission = Permission::parse(&input.label, &input.aws_account_ids, &input.actions)
        .map_err(CommandError::from)?;
    sqs.lanes.command(id, Command::AddPermission(permission)).await?;
    Ok(Unit)
}
