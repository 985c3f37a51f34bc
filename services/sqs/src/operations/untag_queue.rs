//! `UntagQueue`: takes tags away.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{UntagQueue, UntagQueueRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<UntagQueue> =
    Access::new("sqs:UntagQueue", |input: &UntagQueueRequest, caller| resource_of(&input.queue_url, caller));

pub(crate) async fn untag_queue(
    sqs: Arc<Sqs>,
    context: Context,
    input: UntagQueueRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.lanes.command(id, Command::Untag(input.tag_keys)).await?;
    Ok(Unit)
}
