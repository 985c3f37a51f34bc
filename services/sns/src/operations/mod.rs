//! One operation each: read the input, ask the rules, shape the answer.

pub(crate) mod add_permission;
pub(crate) mod confirm_subscription;
pub(crate) mod create_topic;
pub(crate) mod delete_topic;
pub(crate) mod get_subscription_attributes;
pub(crate) mod get_topic_attributes;
pub(crate) mod list_subscriptions;
pub(crate) mod list_subscriptions_by_topic;
pub(crate) mod list_tags_for_resource;
pub(crate) mod list_topics;
pub(crate) mod publish;
pub(crate) mod publish_batch;
pub(crate) mod remove_permission;
pub(crate) mod set_subscription_attributes;
pub(crate) mod set_topic_attributes;
pub(crate) mod subscribe;
pub(crate) mod tag_resource;
pub(crate) mod unsubscribe;
pub(crate) mod untag_resource;

use apus_kernel::{AccessRequest, Context, Resource};
use apus_model_sns::{Subscription, errors as modelled};
use apus_schema::ServiceError;
use apus_store::Tx;

use crate::Sns;
use crate::errors::{self, Failure, ParameterError};
use crate::store::{Counted, Place, SubscriptionRecord, TopicRecord};
use crate::topic::{TopicId, parse_arn};

/// The topic that an ARN means; of one that means none, no policy need say anything: the operation refuses it.
fn resource_of(arn: &str) -> Vec<Resource> {
    TopicId::parse(arn, "TopicArn").map(|id| id.arn().into()).into_iter().collect()
}

/// A subscription's place: its topic, and its id.
#[derive(Clone, Debug)]
struct SubscriptionId {
    topic: TopicId,
    id: String,
}

impl SubscriptionId {
    fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut arn = parse_arn(text, "SubscriptionArn")?;
        let no_id = || ParameterError::because("SubscriptionArn", "An ARN of a subscription is required");
        let (name, id) = arn.resource.split_once(':').ok_or_else(no_id)?;
        let (name, id) = (name.to_owned(), id.to_owned());
        arn.resource = name;
        let topic = TopicId::named(&arn).ok_or_else(no_id)?;
        Ok(Self { topic, id })
    }
}

/// Asks for permission on a subscription: its topic's account decides, and so does the account that subscribed.
async fn authorize(
    sns: &Sns,
    context: &Context,
    action: &'static str,
    subscription: &SubscriptionId,
) -> Result<(), ServiceError> {
    let SubscriptionId { topic, id } = subscription;
    let place = Place::of(topic);
    let (place, name) = (&place, topic.name.as_str());
    let read = sns.store.read(|tx| async move { place.subscription(&tx, name, id).await });
    let owner = read.await.map_err(Failure::from)?.and_then(|record| record.owner.parse().ok());
    let own = context.caller.principal.account().filter(|own| Some(*own) == owner && *own != topic.account);
    if let Some(own) = own {
        let request = AccessRequest::new(context, action, topic.arn().into());
        return context.platform().permit(&AccessRequest { owner: own, ..request }).await;
    }
    context.platform().authorize(context, action, [topic.arn().into()]).await
}

/// The most filter policies of a topic.
const FILTER_POLICIES_MAX: i64 = 200;

/// Notes that a subscription has a filter policy now, or has none any more.
async fn count_filters(
    place: &Place,
    tx: &Tx,
    number: u64,
    before: bool,
    after: bool,
) -> Result<(), Failure> {
    if after == before {
        return Ok(());
    }
    if after && place.counted(tx, number, Counted::Filtered).await? >= FILTER_POLICIES_MAX {
        let full = format!("Filter policy quota of {FILTER_POLICIES_MAX} exceeded for the topic");
        return Err(modelled::filter_policy_limit_exceeded_exception(full).into());
    }
    place.count(tx, number, Counted::Filtered, if after { 1 } else { -1 });
    Ok(())
}

/// Changes a topic in a transaction of its own.
async fn change_topic<T: Send>(
    sns: &Sns,
    id: &TopicId,
    change: impl Fn(&mut TopicRecord) -> Result<T, Failure> + Send + Sync,
) -> Result<T, ServiceError> {
    let place = Place::of(id);
    let (place, change) = (&place, &change);
    let changed = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let name = id.name.as_str();
        let mut topic = place.topic(&tx, name).await?.ok_or_else(errors::no_topic)?;
        let done = change(&mut topic)?;
        place.put_topic(&tx, name, &topic);
        Ok::<_, Failure>(done)
    });
    Ok(changed.await?)
}

/// A subscription as lists show it.
fn listed(topic: &TopicId, id: &str, record: SubscriptionRecord) -> Subscription {
    let subscription_arn =
        if record.token.is_some() { "PendingConfirmation".to_owned() } else { format!("{topic}:{id}") };
    Subscription {
        subscription_arn: Some(subscription_arn),
        owner: Some(record.owner),
        protocol: Some(record.protocol.as_str().to_owned()),
        endpoint: Some(record.endpoint),
        topic_arn: Some(topic.to_string()),
    }
}
