//! `ListSubscriptionsByTopic`, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{
    ListSubscriptionsByTopic, ListSubscriptionsByTopicInput, ListSubscriptionsByTopicResponse,
};
use apus_schema::ServiceError;

use super::{listed, resource_of};
use crate::Sns;
use crate::errors::{self, Failure};
use crate::page::{self, PAGE_MAX};
use crate::store::Place;
use crate::topic::TopicId;

pub(crate) const ACCESS: Access<ListSubscriptionsByTopic> =
    Access::new("sns:ListSubscriptionsByTopic", |input: &ListSubscriptionsByTopicInput, _| {
        resource_of(&input.topic_arn)
    });

pub(crate) async fn list_subscriptions_by_topic(
    sns: Arc<Sns>,
    _context: Context,
    input: ListSubscriptionsByTopicInput,
) -> Result<ListSubscriptionsByTopicResponse, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let after = page::after(input.next_token)?;
    let (place, name) = (Place::of(&id), id.name.as_str());
    let read = sns.store.read(|tx| async move {
        place.topic(&tx, name).await?.ok_or_else(errors::no_topic)?;
        let after = after.as_deref().map(|after| (name, after));
        Ok::<_, Failure>(place.list_subscriptions(&tx, Some(name), after, PAGE_MAX).await?)
    });
    let found = read.await?;
    let next_token = found.last().filter(|_| found.len() == PAGE_MAX).map(|(_, last, _)| page::token(last));
    let subscriptions = found.into_iter().map(|(_, own, record)| listed(&id, &own, record)).collect();
    Ok(ListSubscriptionsByTopicResponse { subscriptions: Some(subscriptions), next_token })
}
