//! `TagQueue`: adds tags, or changes them.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{TagQueue, TagQueueRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<TagQueue> =
    Access::new("sqs:TagQueue", |input: &TagQueueRequest, caller| resource_of(&input.queue_url, caller));

pub(crate) async fn tag_queue(
    sqs: Arc<Sqs>,
    context: Context,
    input: TagQueueRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.lanes.command(id, Command::Tag(input.tags)).await?;
    Ok(Unit)
}
