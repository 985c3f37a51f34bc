//! One delivery: to a queue and to a function through the platform's door, to an endpoint through the port.
//!
//! A client's mistake is not repeated, a failure of the target is, as long as its policy says; what is undeliverable
//! goes to the subscription's dead-letter queue. The pending record is removed last, so that a crash repeats a
//! delivery rather than lose it, and a delivery that was done and is asked for again is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Arn, Attempt, Caller, Origin, StepEnd};
use apus_model_lambda::{InvocationRequest, InvocationType, Invoke};
use apus_model_sqs::{MessageAttributeValue, SendMessage, SendMessageRequest};
use apus_schema::ServiceError;
use bytes::Bytes;
use tracing::warn;

use crate::delivery_policy::managed_pause;
use crate::endpoint::Post;
use crate::errors::Failure;
use crate::message::AttributeValue;
use crate::notification::{self, Notification};
use crate::store::{MessageRecord, Place, StepPayload, SubscriptionRecord, TopicRecord};
use crate::subscription::Protocol;
use crate::topic::{TopicId, is_fifo};
use crate::{PRINCIPAL, Sns};

/// After the store failed.
const PAUSE: Duration = Duration::from_secs(1);
/// The most attributes of a message in a queue: with more, SQS would refuse it.
const QUEUE_ATTRIBUTES_MAX: usize = 10;

/// Why a target did not take a delivery.
#[derive(Debug)]
struct Missed {
    code: String,
    text: String,
    /// It may take it later.
    retryable: bool,
}

impl From<ServiceError> for Missed {
    fn from(error: ServiceError) -> Self {
        Self { code: error.name(), text: error.message().to_owned(), retryable: error.is_retryable() }
    }
}

/// What a delivery needs.
struct Delivery {
    topic: TopicId,
    topic_record: TopicRecord,
    message: MessageRecord,
    subscription: SubscriptionRecord,
    arn: String,
}

/// The step.
pub(crate) async fn deliver(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let (payload, topic) = match StepPayload::read(&attempt.payload) {
        Ok(read) => read,
        Err(reason) => return StepEnd::Dead { reason },
    };
    let id = payload.subscription.clone().unwrap_or_default();
    let delivery = match find(&sns, &payload, topic.clone(), &id).await {
        Ok(delivery) => delivery,
        Err(failure) => return StepEnd::Again { after: PAUSE, reason: failure.to_string() },
    };
    // Done already, or the subscription has ended meanwhile.
    let Some(delivery) = delivery else { return end(&sns, &payload, &topic, &id, StepEnd::Done).await };
    let sent = delivery.send(&sns, &attempt, &payload.message).await;
    let Err(missed) = sent else { return end(&sns, &payload, &topic, &id, StepEnd::Done).await };
    let failures = attempt.failures + 1;
    let reason = format!("{}: {}", missed.code, missed.text);
    if let Some(after) = delivery.pause(failures).filter(|_| missed.retryable) {
        return StepEnd::Again { after, reason };
    }
    warn!(subscription = delivery.arn, message = payload.message, reason, "undeliverable");
    let Some(queue) = delivery.subscription.attributes.dead_letter.clone() else {
        return end(&sns, &payload, &topic, &id, StepEnd::Dead { reason }).await;
    };
    match delivery.give_up(&sns, &attempt, &payload.message, &queue, &missed).await {
        Ok(()) => end(&sns, &payload, &topic, &id, StepEnd::Done).await,
        Err(again) => {
            if let Some(after) = managed_pause(failures).filter(|_| again.retryable) {
                return StepEnd::Again { after: after.max(PAUSE), reason: again.text };
            }
            let reason = format!("{reason}; its dead-letter queue {queue}: {}: {}", again.code, again.text);
            end(&sns, &payload, &topic, &id, StepEnd::Dead { reason }).await
        }
    }
}

async fn find(
    sns: &Sns,
    payload: &StepPayload,
    topic: TopicId,
    id: &str,
) -> Result<Option<Delivery>, Failure> {
    let place = Place::of(&topic);
    let (place, name) = (&place, topic.name.as_str());
    let found = sns
        .store
        .read(|tx| async move {
            let number = payload.number;
            if !place.is_pending(&tx, number, &payload.message, id).await? {
                return Ok(None);
            }
            let topic = place.topic(&tx, name).await?.filter(|topic| topic.number == number);
            let subscription = place.subscription(&tx, name, id).await?;
            let message = place.message(&tx, number, &payload.message).await?;
            Ok::<_, Failure>(topic.zip(subscription).zip(message))
        })
        .await?;
    Ok(found.map(|((topic_record, subscription), message)| {
        let arn = format!("{topic}:{id}");
        Delivery { topic, topic_record, message, subscription, arn }
    }))
}

/// Removes the pending record, and the message with the last of them.
async fn end(sns: &Sns, payload: &StepPayload, topic: &TopicId, id: &str, end: StepEnd) -> StepEnd {
    let place = Place::of(topic);
    let place = &place;
    let ended = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        place.end(&tx, payload.number, &payload.message, id).await?;
        Ok::<_, Failure>(())
    });
    match ended.await {
        Ok(()) => end,
        Err(failure) => StepEnd::Again { after: PAUSE, reason: failure.to_string() },
    }
}

impl Delivery {
    async fn send(&self, sns: &Sns, attempt: &Attempt, message_id: &str) -> Result<(), Missed> {
        let notification = self.notification(sns, message_id);
        match self.subscription.protocol {
            Protocol::Sqs => {
                let raw = self.subscription.attributes.is_raw;
                let body = if raw { notification.text() } else { notification.document() };
                let attributes = if raw { self.queue_attributes()? } else { None };
                self.send_to_queue(attempt, &self.subscription.endpoint, body, attributes).await
            }
            Protocol::Lambda => self.invoke(attempt, &notification).await,
            Protocol::Http => self.post(sns, &notification).await,
        }
    }

    fn notification<'a>(&'a self, sns: &'a Sns, message_id: &'a str) -> Notification<'a> {
        Notification {
            topic: &self.topic,
            message_id,
            message: &self.message,
            subscription_arn: &self.arn,
            subscription: &self.subscription,
            base_url: &sns.base_url,
        }
    }

    /// What a queue gets beside a raw message. One with more attributes than SQS takes is a client's mistake, as AWS
    /// has it.
    fn queue_attributes(&self) -> Result<Option<BTreeMap<String, MessageAttributeValue>>, Missed> {
        let attributes = &self.message.message.attributes;
        if attributes.len() > QUEUE_ATTRIBUTES_MAX {
            let text =
                format!("a raw message may have {QUEUE_ATTRIBUTES_MAX} attributes, not {}", attributes.len());
            return Err(Missed { code: "InvalidParameterValue".into(), text, retryable: false });
        }
        let sent = attributes.iter().map(|(name, attribute)| {
            let (string_value, binary_value) = match &attribute.value {
                AttributeValue::String(text) => (Some(text.clone()), None),
                AttributeValue::Binary(bytes) => (None, Some(Bytes::from(bytes.clone()))),
            };
            let data_type = attribute.data_type.clone();
            (
                name.clone(),
                MessageAttributeValue {
                    string_value,
                    binary_value,
                    data_type,
                    ..MessageAttributeValue::default()
                },
            )
        });
        Ok(Some(sent.collect()).filter(|all: &BTreeMap<_, _>| !all.is_empty()))
    }

    async fn send_to_queue(
        &self,
        attempt: &Attempt,
        queue: &str,
        body: String,
        attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    ) -> Result<(), Missed> {
        let is_fifo = is_fifo(queue);
        let input = SendMessageRequest {
            queue_url: queue.to_owned(),
            message_body: body,
            message_attributes: attributes,
            message_group_id: self.message.message.group.clone().filter(|_| is_fifo),
            message_deduplication_id: self.message.deduplication_id.clone().filter(|_| is_fifo),
            ..SendMessageRequest::default()
        };
        self.call::<SendMessage>(attempt, queue, input).await.map(|_sent| ())
    }

    /// Runs the function and waits: an error of the function's own is repeated as Lambda repeats asynchronous
    /// invocations, a minute and two minutes later, and is then the function's affair.
    async fn invoke(&self, attempt: &Attempt, notification: &Notification<'_>) -> Result<(), Missed> {
        const PAUSES: usize = 2;
        let input = InvocationRequest {
            function_name: self.subscription.endpoint.clone(),
            invocation_type: Some(InvocationType::RequestResponse),
            payload: Some(Bytes::from(notification.event().to_string())),
            ..InvocationRequest::default()
        };
        let answer = self.call::<Invoke>(attempt, &self.subscription.endpoint, input).await?;
        match answer.function_error {
            Some(error) if attempt.failures as usize >= PAUSES => {
                warn!(subscription = self.arn, error, "the function failed a message for the last time");
                Ok(())
            }
            Some(error) => Err(Missed { code: "FunctionError".into(), text: error, retryable: true }),
            None => Ok(()),
        }
    }

    async fn post(&self, sns: &Sns, notification: &Notification<'_>) -> Result<(), Missed> {
        let is_raw = self.subscription.attributes.is_raw;
        let policy = self.subscription.attributes.delivery_policy.as_ref();
        let content_type = policy.and_then(|policy| policy.content_type.clone());
        let mut headers = headers("Notification", notification.message_id, &self.topic);
        headers.push(("x-amz-sns-subscription-arn", self.arn.clone()));
        headers.push(("content-type", content_type.unwrap_or_else(|| "text/plain; charset=UTF-8".into())));
        if is_raw {
            headers.push(("x-amz-sns-rawdelivery", "true".into()));
        }
        let body = if is_raw { notification.text() } else { notification.document() };
        post(sns, Post { url: self.subscription.endpoint.clone(), headers, body }).await
    }

    /// Sends to the dead-letter queue what would have been delivered, with why it was not.
    async fn give_up(
        &self,
        sns: &Sns,
        attempt: &Attempt,
        message_id: &str,
        queue: &str,
        missed: &Missed,
    ) -> Result<(), Missed> {
        let notification = self.notification(sns, message_id);
        let is_raw = self.subscription.attributes.is_raw;
        let body = match self.subscription.protocol {
            _ if is_raw => notification.text(),
            Protocol::Lambda => notification.event().to_string(),
            Protocol::Sqs | Protocol::Http => notification.document(),
        };
        let text = |value: &str| MessageAttributeValue {
            data_type: "String".into(),
            string_value: Some(value.to_owned()),
            ..MessageAttributeValue::default()
        };
        let attributes =
            [("RequestID", attempt.id.as_str()), ("ErrorCode", &missed.code), ("ErrorMessage", &missed.text)];
        let attributes = attributes
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), text(value)));
        self.send_to_queue(attempt, queue, body, Some(attributes.collect())).await
    }

    /// When to try again after so many failures.
    fn pause(&self, failures: u32) -> Option<Duration> {
        let topics = self.topic_record.attributes.delivery_policy.as_ref();
        match self.subscription.protocol {
            Protocol::Sqs => managed_pause(failures),
            Protocol::Lambda => match failures {
                1 => Some(Duration::from_mins(1)),
                2 => Some(Duration::from_mins(2)),
                _ => managed_pause(failures),
            },
            Protocol::Http => {
                let own = self.subscription.attributes.delivery_policy.as_ref();
                let own = own.filter(|_| !topics.is_some_and(|topics| topics.overrides_subscriptions));
                own.or(topics).cloned().unwrap_or_default().pause(failures)
            }
        }
    }

    /// Calls as SNS, on the topic's behalf: the target's own policy decides.
    async fn call<O: apus_schema::Operation>(
        &self,
        attempt: &Attempt,
        target: &str,
        input: O::Input,
    ) -> Result<O::Output, Missed> {
        let arn: Option<Arn> = target.parse().ok();
        let place = arn.and_then(|arn| Some((arn.account.parse().ok()?, arn.region.parse().ok()?)));
        let (account, region) = place.unwrap_or((self.topic.account, self.topic.region.clone()));
        let caller = Caller::service(PRINCIPAL, account, region);
        let origin = Origin { source: Some(self.topic.arn()), ..Origin::default() };
        let context = attempt.platform.context(caller, origin, Some(attempt.id.clone()));
        Ok(attempt.platform.call::<O>(context, input).await?)
    }
}

fn headers(kind: &str, message_id: &str, topic: &TopicId) -> Vec<(&'static str, String)> {
    vec![
        ("x-amz-sns-message-type", kind.to_owned()),
        ("x-amz-sns-message-id", message_id.to_owned()),
        ("x-amz-sns-topic-arn", topic.to_string()),
        ("user-agent", "Amazon Simple Notification Service Agent".to_owned()),
    ]
}

/// What an endpoint answers decides: throttling and its own failures are repeated, mistakes are not.
async fn post(sns: &Sns, post: Post) -> Result<(), Missed> {
    match sns.endpoints.post(post).await {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(Missed {
            code: status.to_string(),
            text: format!("the endpoint answered {status}"),
            retryable: status == 429 || status >= 500,
        }),
        Err(text) => Err(Missed { code: "EndpointUnreachable".into(), text, retryable: true }),
    }
}

/// The step that asks a subscriber whether it wants to be one.
pub(crate) async fn confirm(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let (payload, topic) = match StepPayload::read(&attempt.payload) {
        Ok(read) => read,
        Err(reason) => return StepEnd::Dead { reason },
    };
    let place = Place::of(&topic);
    let (place, name, id) = (&place, topic.name.as_str(), payload.subscription.clone().unwrap_or_default());
    let id = &id;
    let found = sns.store.read(|tx| async move {
        let record = place.topic(&tx, name).await?.filter(|topic| topic.number == payload.number);
        Ok::<_, Failure>(record.zip(place.subscription(&tx, name, id).await?))
    });
    let (topic_record, subscription) = match found.await {
        Ok(Some(found)) => found,
        Ok(None) => return StepEnd::Done,
        Err(failure) => return StepEnd::Again { after: PAUSE, reason: failure.to_string() },
    };
    let Some(token) = subscription.token.clone() else { return StepEnd::Done };
    let body = notification::confirmation(&topic, &payload.message, &token, &sns.base_url, attempt.since);
    let mut headers = headers("SubscriptionConfirmation", &payload.message, &topic);
    headers.push(("content-type", "text/plain; charset=UTF-8".into()));
    let url = subscription.endpoint.clone();
    let message = MessageRecord::bare(body.clone());
    let arn = format!("{topic}:{id}");
    let delivery = Delivery { topic, topic_record, message, subscription, arn };
    let sent = match delivery.subscription.protocol {
        Protocol::Http => post(&sns, Post { url, headers, body }).await,
        Protocol::Sqs => delivery.send_to_queue(&attempt, &url, body, None).await,
        // A function of another account is asked by its owner calling ConfirmSubscription with the token.
        Protocol::Lambda => Ok(()),
    };
    match sent {
        Ok(()) => StepEnd::Done,
        Err(missed) => {
            let reason = format!("{}: {}", missed.code, missed.text);
            match delivery.pause(attempt.failures + 1).filter(|_| missed.retryable) {
                Some(after) => StepEnd::Again { after, reason },
                None => StepEnd::Dead { reason },
            }
        }
    }
}
