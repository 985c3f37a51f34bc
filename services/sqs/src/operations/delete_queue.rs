//! `DeleteQueue`: the queue is gone at once, its messages soon after.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{DeleteQueue, DeleteQueueRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<DeleteQueue> =
    Access::new("sqs:DeleteQueue", |input: &DeleteQueueRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn delete_queue(
    sqs: Arc<Sqs>,
    context: Context,
    input: DeleteQueueRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.lanes.command(id, Command::Delete).await?;
    Ok(Unit)
}
