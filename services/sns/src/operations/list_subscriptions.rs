//! `ListSubscriptions`: the subscriptions of the caller's topics in a region, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{ListSubscriptions, ListSubscriptionsInput, ListSubscriptionsResponse};
use apus_schema::ServiceError;

use super::listed;
use crate::Sns;
use crate::errors::{Failure, ParameterError};
use crate::page::{self, PAGE_MAX};
use crate::store::Place;
use crate::topic::TopicId;

pub(crate) const ACCESS: Access<ListSubscriptions> = Access::on_all("sns:ListSubscriptions");

pub(crate) async fn list_subscriptions(
    sns: Arc<Sns>,
    context: Context,
    input: ListSubscriptionsInput,
) -> Result<ListSubscriptionsResponse, ServiceError> {
    let after = page::after(input.next_token)?;
    let split =
        after.as_deref().map(|after| after.split_once(':').ok_or_else(|| ParameterError::plain("NextToken")));
    let after = split.transpose()?;
    let caller = context.caller;
    let place = Place::new(caller.account, &caller.region);
    let read = sns.store.read(|tx| async move { place.list_subscriptions(&tx, None, after, PAGE_MAX).await });
    let found = read.await.map_err(Failure::from)?;
    let last = found.last().filter(|_| found.len() == PAGE_MAX);
    let next_token = last.map(|(topic, id, _)| page::token(&format!("{topic}:{id}")));
    let shown = found.into_iter().filter_map(|(topic, id, record)| {
        let name = topic.parse().ok()?;
        let topic = TopicId { account: caller.account, region: caller.region.clone(), name };
        Some(listed(&topic, &id, record))
    });
    Ok(ListSubscriptionsResponse { subscriptions: Some(shown.collect()), next_token })
}
