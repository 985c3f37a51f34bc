//! `PurgeQueue`: the messages are gone at once, their space soon after.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{PurgeQueue, PurgeQueueRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<PurgeQueue> =
    Access::new("sqs:PurgeQueue", |input: &PurgeQueueRequest, caller| resource_of(&input.queue_url, caller));

pub(crate) async fn purge_queue(
    sqs: Arc<Sqs>,
    context: Context,
    input: PurgeQueueRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.lanes.command(id, Command::Purge).await?;
    Ok(Unit)
}
