//! `ListQueueTags`: the queue's tags.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{ListQueueTags, ListQueueTagsRequest, ListQueueTagsResult};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::Sqs;

pub(crate) const ACCESS: Access<ListQueueTags> =
    Access::new("sqs:ListQueueTags", |input: &ListQueueTagsRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn list_queue_tags(
    sqs: Arc<Sqs>,
    context: Context,
    input: ListQueueTagsRequest,
) -> Result<ListQueueTagsResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let tags = sqs.lanes.queue(&id).await?.tags.clone();
    Ok(ListQueueTagsResult { tags: (!tags.is_empty()).then_some(tags) })
}
