//! `ListQueues`: the URLs of the caller's queues in a region, by prefix and in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{ListQueues, ListQueuesRequest, ListQueuesResult};
use apus_schema::ServiceError;

use crate::queue_id::{QueueId, QueueName};
use crate::{Sqs, errors, store};

/// The most queues of a page, and of an answer that is not asked for pages.
const PAGE_MAX: i32 = 1_000;

pub(crate) const ACCESS: Access<ListQueues> = Access::on_all("sqs:ListQueues");

/// Which part of a list of queues is asked for.
#[derive(Clone, Debug)]
pub(super) struct Page {
    is_asked_for: bool,
    pub(super) limit: usize,
    /// A page's token is the name that the page before it ended with.
    pub(super) after: Option<QueueName>,
}

impl Page {
    pub(super) fn parse(limit: Option<i32>, token: Option<String>) -> Result<Self, ServiceError> {
        let is_asked_for = limit.is_some();
        let limit = match limit {
            None => PAGE_MAX,
            Some(limit @ 1..=PAGE_MAX) => limit,
            Some(limit) => return Err(errors::out_of_bounds(limit.into(), "MaxResults", 1, PAGE_MAX.into())),
        };
        if token.is_some() && !is_asked_for {
            return Err(errors::invalid_parameter(
                "MaxResults is a mandatory parameter when you provide a value for NextToken.",
            ));
        }
        let invalid = || errors::invalid_parameter("Invalid or expired next token.");
        let after = token.map(|token| token.parse().map_err(|_| invalid())).transpose()?;
        Ok(Self { is_asked_for, limit: limit as usize, after })
    }

    /// The token of the page after one that holds these.
    pub(super) fn next_token(&self, names: &[QueueName]) -> Option<String> {
        names.last().filter(|_| self.is_asked_for && names.len() == self.limit).map(ToString::to_string)
    }
}

pub(crate) async fn list_queues(
    sqs: Arc<Sqs>,
    context: Context,
    input: ListQueuesRequest,
) -> Result<ListQueuesResult, ServiceError> {
    let page = Page::parse(input.max_results, input.next_token)?;
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let caller = context.caller;
    let (account, region) = (caller.account, caller.region);
    let names = sqs.store.read(|tx| {
        let (region, page) = (region.clone(), page.clone());
        async move {
            let names = store::queue_names(&tx, account, &region, &prefix, page.after.as_ref(), page.limit);
            Ok::<_, errors::JobError>(names.await?)
        }
    });
    let names = names.await?;
    let next_token = page.next_token(&names);
    let url = |name| QueueId { account, region: region.clone(), name }.url(&context.origin.base_url);
    let urls: Vec<String> = names.into_iter().map(url).collect();
    // No queues: no list, as AWS answers.
    Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
}
