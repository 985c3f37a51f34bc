//! One delivery: when it is tried, when again, and how it ends.
//!
//! A client's mistake is not repeated, a failure of the target is, as long as its policy says; what is undeliverable
//! goes to the subscription's dead-letter queue. The pending record is removed last, so that a crash repeats a
//! delivery rather than lose it, and a delivery that was done and is asked for again is known.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Attempt, StepEnd};
use tracing::warn;

use crate::Sns;
use crate::delivery_policy::managed_pause;
use crate::errors::Failure;
use crate::fan_out;
use crate::store::{MessageRecord, Place, StepPayload, SubscriptionRecord, TopicRecord};
use crate::subscription::Protocol;
use crate::targets::{Missed, Repeat};
use crate::topic::TopicId;

/// After the store failed, or while the host has no turn to give.
const PAUSE: Duration = Duration::from_secs(1);

/// What a delivery needs.
pub(crate) struct Delivery {
    pub(crate) topic: TopicId,
    pub(crate) topic_record: TopicRecord,
    pub(crate) message: MessageRecord,
    pub(crate) message_id: String,
    pub(crate) subscription: SubscriptionRecord,
    pub(crate) arn: String,
}

/// What is known of a delivery that a step was left for.
enum Found {
    /// It is to be tried.
    Due(Box<Delivery>),
    /// Its end was written, or its subscription has ended meanwhile.
    Over,
    /// Another attempt was left already, before a crash.
    Left,
}

/// The step.
pub(crate) async fn deliver(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let (payload, topic) = match StepPayload::read(&attempt.payload) {
        Ok(read) => read,
        Err(reason) => return StepEnd::Dead { reason },
    };
    match take(&sns, &attempt, &payload, &topic).await {
        Ok(end) => end,
        Err(failure) => StepEnd::Again { after: PAUSE, reason: failure.to_string() },
    }
}

async fn take(
    sns: &Sns,
    attempt: &Attempt,
    payload: &StepPayload,
    topic: &TopicId,
) -> Result<StepEnd, Failure> {
    let delivery = match find(sns, payload, topic).await? {
        Found::Due(delivery) => delivery,
        Found::Over => return end(sns, payload, topic, StepEnd::Done).await,
        Found::Left => return Ok(StepEnd::Done),
    };
    let failures = if topic.name.is_fifo() { attempt.failures } else { payload.failures };
    let sent = if payload.gives_up {
        Err(Missed::last("Backlog", "too many messages wait for this subscriber".into()))
    } else {
        delivery.send(sns, attempt).await
    };
    let Err(missed) = sent else { return end(sns, payload, topic, StepEnd::Done).await };
    let reason = format!("{}: {}", missed.code, missed.text);
    match missed.repeat {
        Repeat::Soon => return Ok(StepEnd::Again { after: PAUSE, reason }),
        Repeat::Later => {
            if let Some(after) = delivery.pause(failures + 1) {
                return again(sns, payload, topic, after, reason).await;
            }
        }
        Repeat::Never => {}
    }
    warn!(subscription = delivery.arn, message = payload.message, reason, "undeliverable");
    let Some(queue) = delivery.subscription.attributes.dead_letter.clone() else {
        return end(sns, payload, topic, StepEnd::Dead { reason }).await;
    };
    match delivery.give_up(sns, attempt, &queue, &missed).await {
        Ok(()) => end(sns, payload, topic, StepEnd::Done).await,
        Err(lost) => {
            if let Some(after) = managed_pause(attempt.failures + 1).filter(|_| lost.repeat != Repeat::Never)
            {
                return Ok(StepEnd::Again { after: after.max(PAUSE), reason: lost.text });
            }
            let reason = format!("{reason}; its dead-letter queue {queue}: {}: {}", lost.code, lost.text);
            end(sns, payload, topic, StepEnd::Dead { reason }).await
        }
    }
}

async fn find(sns: &Sns, payload: &StepPayload, topic: &TopicId) -> Result<Found, Failure> {
    let place = Place::of(topic);
    let (place, name) = (&place, topic.name.as_str());
    let id = payload.subscription.as_deref().unwrap_or_default();
    sns.store
        .read(|tx| async move {
            let number = payload.number;
            match place.failures(&tx, number, &payload.message, id).await? {
                None => return Ok(Found::Over),
                Some(failures) if failures != payload.failures => return Ok(Found::Left),
                Some(_) => {}
            }
            let topic_record = place.topic(&tx, name).await?.filter(|topic| topic.number == number);
            let subscription = place.subscription(&tx, name, id).await?;
            let message = place.message(&tx, number, &payload.message).await?;
            let (Some(topic_record), Some(subscription), Some(message)) =
                (topic_record, subscription, message)
            else {
                return Ok(Found::Over);
            };
            Ok(Found::Due(Box::new(Delivery {
                topic: topic.clone(),
                topic_record,
                message,
                message_id: payload.message.clone(),
                subscription,
                arn: format!("{topic}:{id}"),
            })))
        })
        .await
}

/// Has it tried again. A FIFO topic's messages wait for it, in their order; a standard topic's do not.
async fn again(
    sns: &Sns,
    payload: &StepPayload,
    topic: &TopicId,
    after: Duration,
    reason: String,
) -> Result<StepEnd, Failure> {
    if topic.name.is_fifo() {
        return Ok(StepEnd::Again { after, reason });
    }
    let place = Place::of(topic);
    let next = StepPayload { failures: payload.failures + 1, ..payload.clone() };
    let (place, next, id) = (&place, &next, payload.subscription.as_deref().unwrap_or_default());
    sns.store
        .transact(|tx| async move {
            sns.lease.fence(&tx).await?;
            let known = place.failures(&tx, payload.number, &payload.message, id).await?;
            if known == Some(payload.failures) {
                place.put_failures(&tx, payload.number, &payload.message, id, next.failures);
                fan_out::leave_retry(sns, &tx, next, tx.now() + after);
            }
            Ok::<_, Failure>(())
        })
        .await?;
    Ok(StepEnd::Done)
}

/// Removes the pending record, and the message with the last of them.
async fn end(sns: &Sns, payload: &StepPayload, topic: &TopicId, end: StepEnd) -> Result<StepEnd, Failure> {
    let place = Place::of(topic);
    let (place, name) = (&place, topic.name.as_str());
    let id = payload.subscription.as_deref().unwrap_or_default();
    sns.store
        .transact(|tx| async move {
            sns.lease.fence(&tx).await?;
            place.end(&tx, name, payload.number, &payload.message, id).await?;
            Ok::<_, Failure>(())
        })
        .await?;
    Ok(end)
}

impl Delivery {
    /// When to try again after so many failures.
    fn pause(&self, failures: u32) -> Option<Duration> {
        pause(&self.topic_record, &self.subscription, failures)
    }
}

/// When to try again after so many failures; nothing if it was the last attempt.
pub(crate) fn pause(
    topic: &TopicRecord,
    subscription: &SubscriptionRecord,
    failures: u32,
) -> Option<Duration> {
    match subscription.protocol {
        Protocol::Http | Protocol::Https => {
            let topics = topic.attributes.delivery_policy.as_ref();
            let own = subscription.attributes.delivery_policy.as_ref();
            let own = own.filter(|_| !topics.is_some_and(|topics| topics.overrides_subscriptions));
            own.or(topics).cloned().unwrap_or_default().pause(failures)
        }
        _ => managed_pause(failures),
    }
}
