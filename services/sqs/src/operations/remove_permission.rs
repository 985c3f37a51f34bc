//! `RemovePermission`: takes back a statement of the queue's policy, by its label.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{RemovePermission, RemovePermissionRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<RemovePermission> =
    Access::new("sqs:RemovePermission", |input: &RemovePermissionRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn remove_permission(
    sqs: Arc<Sqs>,
    context: Context,
    input: RemovePermissionRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.lanes.command(id, Command::RemovePermission(input.label)).await?;
    Ok(Unit)
}
