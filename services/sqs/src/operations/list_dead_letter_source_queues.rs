//! `ListDeadLetterSourceQueues`: the queues that send their dead to this one.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    ListDeadLetterSourceQueues, ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult,
};
use apus_schema::ServiceError;

use super::list_queues::Page;
use super::{queue_of, resource_of};
use crate::queue_id::QueueId;
use crate::{Sqs, errors, store};

pub(crate) const ACCESS: Access<ListDeadLetterSourceQueues> =
    Access::new("sqs:ListDeadLetterSourceQueues", |input: &ListDeadLetterSourceQueuesRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn list_dead_letter_source_queues(
    sqs: Arc<Sqs>,
    context: Context,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let page = Page::parse(input.max_results, input.next_token)?;
    let _there = sqs.lanes.queue(&id).await?;
    let names = sqs.store.read(|tx| {
        let (id, page) = (id.clone(), page.clone());
        async move {
            let names = store::source_names(&tx, &id, page.after.as_ref(), page.limit).await;
            Ok::<_, errors::JobError>(names?)
        }
    });
    let names = names.await?;
    let next_token = page.next_token(&names);
    let url = |name| QueueId { name, ..id.clone() }.url(&context.origin.base_url);
    Ok(ListDeadLetterSourceQueuesResult { queue_urls: names.into_iter().map(url).collect(), next_token })
}
