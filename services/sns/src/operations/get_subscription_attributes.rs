//! `GetSubscriptionAttributes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{
    GetSubscriptionAttributes, GetSubscriptionAttributesInput, GetSubscriptionAttributesResponse,
};
use apus_schema::ServiceError;
use serde_json::json;

use super::{SubscriptionId, authorize};
use crate::Sns;
use crate::errors::{self, Failure};
use crate::store::Place;

/// The handler asks: only it knows whose subscription it is.
pub(crate) const ACCESS: Access<GetSubscriptionAttributes> = Access::free("sns:GetSubscriptionAttributes");

pub(crate) async fn get_subscription_attributes(
    sns: Arc<Sns>,
    context: Context,
    input: GetSubscriptionAttributesInput,
) -> Result<GetSubscriptionAttributesResponse, ServiceError> {
    let subscription = SubscriptionId::parse(&input.subscription_arn)?;
    authorize(&sns, &context, ACCESS.action, &subscription).await?;
    let SubscriptionId { topic: id, id: own } = subscription;
    let place = Place::of(&id);
    let (place, name, own) = (&place, id.name.as_str(), own.as_str());
    let read = sns.store.read(|tx| async move {
        let topic = place.topic(&tx, name).await?;
        Ok::<_, Failure>(topic.zip(place.subscription(&tx, name, own).await?))
    });
    let (topic, record) = read.await?.ok_or_else(errors::no_subscription)?;
    let attributes = record.attributes;
    let mut shown = BTreeMap::from([
        ("SubscriptionArn", format!("{id}:{own}")),
        ("TopicArn", id.to_string()),
        ("Owner", record.owner),
        ("SubscriptionPrincipal", record.principal),
        ("Protocol", record.protocol.as_str().to_owned()),
        ("Endpoint", record.endpoint),
        ("ConfirmationWasAuthenticated", record.was_authenticated.to_string()),
        ("PendingConfirmation", record.token.is_some().to_string()),
        ("RawMessageDelivery", attributes.is_raw.to_string()),
    ]);
    if let Some(policy) = attributes.filter_policy {
        shown.insert("FilterPolicy", policy);
        shown.insert("FilterPolicyScope", attributes.filter_scope.as_str().into());
    }
    if let Some(queue) = attributes.dead_letter {
        shown.insert("RedrivePolicy", json!({ "deadLetterTargetArn": queue }).to_string());
    }
    if record.protocol.is_http() {
        let topics = topic.attributes.delivery_policy;
        let overridden = topics.as_ref().is_some_and(|topics| topics.overrides_subscriptions);
        let effective =
            attributes.delivery_policy.clone().filter(|_| !overridden).or(topics).unwrap_or_default();
        shown.insert("EffectiveDeliveryPolicy", effective.to_subscription_json().to_string());
        if let Some(policy) = attributes.delivery_policy {
            shown.insert("DeliveryPolicy", policy.to_subscription_json().to_string());
        }
    }
    let attributes = shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(GetSubscriptionAttributesResponse { attributes: Some(attributes) })
}
