//! `GetTopicAttributes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{GetTopicAttributes, GetTopicAttributesInput, GetTopicAttributesResponse};
use apus_schema::ServiceError;

use super::resource_of;
use crate::Sns;
use crate::errors::{self, Failure};
use crate::store::{Counted, Place};
use crate::topic::{ThroughputScope, TopicId};

pub(crate) const ACCESS: Access<GetTopicAttributes> =
    Access::new("sns:GetTopicAttributes", |input: &GetTopicAttributesInput, _| resource_of(&input.topic_arn));

pub(crate) async fn get_topic_attributes(
    sns: Arc<Sns>,
    _context: Context,
    input: GetTopicAttributesInput,
) -> Result<GetTopicAttributesResponse, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let place = Place::of(&id);
    let (place, name) = (&place, id.name.as_str());
    let read = sns.store.read(|tx| async move {
        let topic = place.topic(&tx, name).await?.ok_or_else(errors::no_topic)?;
        let mut counts = [0; 3];
        for (at, what) in [Counted::Confirmed, Counted::Pending, Counted::Deleted].into_iter().enumerate() {
            counts[at] = place.counted(&tx, topic.number, what).await?;
        }
        Ok::<_, Failure>((topic, counts))
    });
    let (topic, [confirmed, pending, deleted]) = read.await?;
    let own = topic.attributes;
    let effective = own.delivery_policy.clone().unwrap_or_default().to_topic_json().to_string();
    let mut shown = BTreeMap::from([
        ("TopicArn", id.to_string()),
        ("Owner", id.account.to_string()),
        ("Policy", own.effective_policy(&id)),
        ("DisplayName", own.display_name),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        ("SubscriptionsDeleted", deleted.to_string()),
        ("EffectiveDeliveryPolicy", effective),
    ]);
    if let Some(policy) = own.delivery_policy {
        shown.insert("DeliveryPolicy", policy.to_topic_json().to_string());
    }
    if let Some(fifo) = own.fifo {
        shown.insert("FifoTopic", "true".into());
        shown.insert("ContentBasedDeduplication", fifo.content_based.to_string());
        let scope = if fifo.scope == ThroughputScope::Topic { "Topic" } else { "MessageGroup" };
        shown.insert("FifoThroughputScope", scope.into());
    }
    if let Some(version) = own.signature_version {
        shown.insert("SignatureVersion", version.to_string());
    }
    if let Some(tracing) = own.tracing {
        shown.insert("TracingConfig", tracing);
    }
    let attributes = shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(GetTopicAttributesResponse { attributes: Some(attributes) })
}
