//! `Subscribe`: a queue or function of the caller's own is a subscriber at once, others are asked.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_sns::{Subscribe, SubscribeInput, SubscribeResponse, errors as modelled};
use apus_schema::ServiceError;

use super::{count_filters, resource_of};
use crate::errors::{self, Failure, ParameterError};
use crate::store::{Counted, Place, SubscriptionRecord};
use crate::subscription::{Protocol, SubscriptionAttributes};
use crate::topic::TopicId;
use crate::{Sns, fan_out};

/// The most subscriptions of a standard topic, and of a FIFO topic.
const SUBSCRIPTIONS_MAX: i64 = 12_500_000;
const FIFO_SUBSCRIPTIONS_MAX: i64 = 100;
/// What answers say instead of the ARN of a subscription that is not confirmed.
const PENDING: &str = "pending confirmation";

pub(crate) const ACCESS: Access<Subscribe> =
    Access::new("sns:Subscribe", |input: &SubscribeInput, _| resource_of(&input.topic_arn));

pub(crate) async fn subscribe(
    sns: Arc<Sns>,
    context: Context,
    input: SubscribeInput,
) -> Result<SubscribeResponse, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let protocol = Protocol::parse(&input.protocol)?;
    let endpoint = input.endpoint.unwrap_or_default();
    protocol.check(&endpoint, &id)?;
    let given = input.attributes.unwrap_or_default();
    let attributes = SubscriptionAttributes::for_new(protocol, &id, &given)?;
    let principal = &context.caller.principal;
    let asks = protocol.asks() || (protocol != Protocol::Sms && !is_own(&endpoint, &context));
    let record = SubscriptionRecord {
        protocol,
        endpoint,
        owner: principal.account().unwrap_or(id.account).to_string(),
        principal: principal.to_string(),
        attributes,
        token: asks.then(|| token(&sns)),
        created_at_micros: 0,
        was_authenticated: !asks,
        guarded: false,
    };
    let (new_id, confirmation_id) = (sns.env.uuid_v4(), sns.env.uuid_v4());
    let place = Place::of(&id);
    let (sns, place, topic_id, record) = (&*sns, &place, &id, &record);
    let (new_id, confirmation_id) = (new_id.as_str(), confirmation_id.as_str());
    let subscribed = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let name = topic_id.name.as_str();
        let topic = place.topic(&tx, name).await?.ok_or_else(errors::no_topic)?;
        let found = place.subscription_of(&tx, name, record.protocol, &record.endpoint).await?;
        if let Some(own) = found {
            let mut existing =
                place.subscription(&tx, name, &own).await?.ok_or_else(errors::no_subscription)?;
            if existing.attributes != record.attributes {
                let reason = "Subscription already exists with different attributes";
                return Err(ParameterError::because("Attributes", reason).into());
            }
            if existing.token.is_some() && record.token.is_some() {
                // Asked anew: the latest token counts.
                existing.token.clone_from(&record.token);
                place.put_subscription(&tx, name, &own, &existing);
                fan_out::leave_confirmation(sns, &tx, topic_id, topic.number, confirmation_id, &own);
            }
            return Ok((own, existing.token.is_some()));
        }
        let confirmed = place.counted(&tx, topic.number, Counted::Confirmed).await?;
        let pending = place.counted(&tx, topic.number, Counted::Pending).await?;
        let most = if topic_id.name.is_fifo() { FIFO_SUBSCRIPTIONS_MAX } else { SUBSCRIPTIONS_MAX };
        if confirmed + pending >= most {
            let full = format!("Subscription quota of {most} exceeded for the topic");
            return Err(modelled::subscription_limit_exceeded_exception(full).into());
        }
        count_filters(place, &tx, topic.number, false, record.attributes.filter_policy.is_some()).await?;
        let record = SubscriptionRecord { created_at_micros: tx.now().as_micros(), ..record.clone() };
        place.put_subscription(&tx, name, new_id, &record);
        place.count(&tx, topic.number, Counted::of(&record), 1);
        if record.token.is_some() {
            fan_out::leave_confirmation(sns, &tx, topic_id, topic.number, confirmation_id, new_id);
        }
        Ok::<_, Failure>((new_id.to_owned(), record.token.is_some()))
    });
    let (own, is_pending) = subscribed.await?;
    let hidden = is_pending && input.return_subscription_arn != Some(true);
    let arn = if hidden { PENDING.to_owned() } else { format!("{id}:{own}") };
    Ok(SubscribeResponse { subscription_arn: Some(arn) })
}

/// Whether the endpoint is a resource of the caller's account.
fn is_own(endpoint: &str, context: &Context) -> bool {
    let account = context.caller.principal.account().unwrap_or(context.caller.account);
    endpoint.parse().is_ok_and(|arn: Arn| arn.account == account.as_str())
}

/// What nobody guesses.
fn token(sns: &Sns) -> String {
    format!("{}{}", sns.env.uuid_v4(), sns.env.uuid_v4()).replace('-', "")
}
