//! `ListQueues`: the URLs of the caller's queues in a region, by prefix and in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{ListQueues, ListQueuesRequest, ListQueuesResult};
use apus_schema::ServiceError;

use crate::queue::{QueueId, QueueName};
use crate::{Sqs, errors, store};

/// The most queues of a page, and of an answer that is not asked for pages.
const PAGE_MAX: i32 = 1_000;

pub(crate) const ACCESS: Access<ListQueues> = Access::on_all("sqs:ListQueues");

pub(crate) async fn list_queues(
    sqs: Arc<Sqs>,
    context: Context,
    input: ListQueuesRequest,
) -> Result<ListQueuesResult, ServiceError> {
    let paged = input.max_results.is_some();
    let limit = match input.max_results {
        None => PAGE_MAX,
        Some(limit @ 1..=PAGE_MAX) => limit,
        Some(limit) => return Err(errors::out_of_bounds(limit.into(), "MaxResults", 1, PAGE_MAX.into())),
    };
    if input.next_token.is_some() && !paged {
        return Err(errors::invalid_parameter(
            "MaxResults is a mandatory parameter when you provide a value for NextToken.",
        ));
    }
    // A page's token is the name that the page before it ended with.
    let after: Option<QueueName> = match input.next_token {
        None => None,
        Some(token) => {
            Some(token.parse().map_err(|_| errors::invalid_parameter("Invalid or expired next token."))?)
        }
    };
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let caller = context.caller;
    let (account, region) = (caller.account, caller.region);
    let names = sqs
        .store
        .read(|tx| {
            let region = region.clone();
            async move {
                let page = store::queue_names(&tx, account, &region, &prefix, after.as_ref(), limit as usize);
                Ok::<_, errors::JobError>(page.await?)
            }
        })
        .await?;
    let next_token = names.last().filter(|_| paged && names.len() == limit as usize).map(ToString::to_string);
    let url = |name| QueueId { account, region: region.clone(), name }.url(&context.origin.base_url);
    let urls: Vec<String> = names.into_iter().map(url).collect();
    // No queues: no list, as AWS answers.
    Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
}
