//! To each target in its way: to queues and functions through the platform's door, to endpoints through the port, to
//! people as letters that are kept.

use std::collections::BTreeMap;

use apus_kernel::{Arn, Attempt, Caller, Origin};
use apus_model_lambda::{InvocationRequest, InvocationType, Invoke};
use apus_model_sqs::{MessageAttributeValue, SendMessage, SendMessageRequest};
use apus_schema::{Operation, ServiceError};
use bytes::Bytes;

use crate::deliver::Delivery;
use crate::endpoint::{Carrier, Letter, Post};
use crate::errors::Failure;
use crate::message::AttributeValue;
use crate::notification::Notification;
use crate::signing::Signed;
use crate::subscription::Protocol;
use crate::topic::{TopicId, is_fifo};
use crate::{PRINCIPAL, Sns};

/// The most attributes of a message in a queue: with more, SQS would refuse it.
const QUEUE_ATTRIBUTES_MAX: usize = 10;
/// What endpoints are told that nobody chose a content type for.
pub(crate) const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";
/// What a letter without a subject is headed.
const SUBJECT: &str = "AWS Notification Message";

/// Whether a delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// As soon as there is room: it was not tried at all.
    Soon,
    /// As the delivery policy says.
    Later,
    Never,
}

/// Why a target did not take a delivery.
#[derive(Debug)]
pub(crate) struct Missed {
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) repeat: Repeat,
}

impl Missed {
    pub(crate) fn last(code: &str, text: String) -> Self {
        Self { code: code.into(), text, repeat: Repeat::Never }
    }

    fn later(code: &str, text: String) -> Self {
        Self { code: code.into(), text, repeat: Repeat::Later }
    }

    /// It was not its turn.
    fn busy() -> Self {
        let text = "other messages are on their way there".to_owned();
        Self { code: "Busy".into(), text, repeat: Repeat::Soon }
    }
}

impl From<ServiceError> for Missed {
    fn from(error: ServiceError) -> Self {
        let repeat = if error.is_retryable() { Repeat::Later } else { Repeat::Never };
        Self { code: error.name(), text: error.message().to_owned(), repeat }
    }
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self { code: "InternalError".into(), text: failure.to_string(), repeat: Repeat::Soon }
    }
}

impl Delivery {
    /// Delivers it.
    pub(crate) async fn send(&self, sns: &Sns, attempt: &Attempt) -> Result<(), Missed> {
        let notification = self.notification(sns);
        let is_raw = self.subscription.attributes.is_raw;
        match self.subscription.protocol {
            Protocol::Sqs => {
                let body = self.body(sns, &notification).await?;
                let attributes = if is_raw { self.queue_attributes()? } else { None };
                self.send_to_queue(attempt, &self.subscription.endpoint, body, attributes).await
            }
            Protocol::Lambda => {
                let event = notification.event(&self.sign(sns, &notification).await?);
                self.invoke(attempt, event).await
            }
            Protocol::Http | Protocol::Https => {
                let body = self.body(sns, &notification).await?;
                self.post(sns, body).await
            }
            Protocol::Email => self.write(sns, notification.letter()).await,
            Protocol::EmailJson => {
                let document = notification.document(&self.sign(sns, &notification).await?);
                self.write(sns, document).await
            }
            Protocol::Sms => self.write(sns, notification.text()).await,
        }
    }

    /// The trace of the request that published it.
    fn trace(&self) -> Option<&str> {
        self.message.message.trace.as_deref()
    }

    fn notification<'a>(&'a self, sns: &'a Sns) -> Notification<'a> {
        Notification {
            topic: &self.topic,
            message_id: &self.message_id,
            message: &self.message,
            subscription_arn: &self.arn,
            subscription: &self.subscription,
            base_url: &sns.base_url,
        }
    }

    async fn sign(&self, sns: &Sns, notification: &Notification<'_>) -> Result<Signed, Failure> {
        let version = self.topic_record.attributes.effective_signature_version();
        sns.signer.sign(version, &notification.to_sign()).await
    }

    /// What queues and endpoints get: the text alone if they want it raw.
    async fn body(&self, sns: &Sns, notification: &Notification<'_>) -> Result<String, Failure> {
        if self.subscription.attributes.is_raw {
            return Ok(notification.text());
        }
        Ok(notification.document(&self.sign(sns, notification).await?))
    }

    /// What a queue gets beside a raw message. One with more attributes than SQS takes is a client's mistake, as AWS
    /// has it.
    fn queue_attributes(&self) -> Result<Option<BTreeMap<String, MessageAttributeValue>>, Missed> {
        let attributes = &self.message.message.attributes;
        if attributes.len() > QUEUE_ATTRIBUTES_MAX {
            let text =
                format!("a raw message may have {QUEUE_ATTRIBUTES_MAX} attributes, not {}", attributes.len());
            return Err(Missed::last("InvalidParameterValue", text));
        }
        let sent = attributes.iter().map(|(name, attribute)| {
            let (string_value, binary_value) = match &attribute.value {
                AttributeValue::String(text) => (Some(text.clone()), None),
                AttributeValue::Binary(bytes) => (None, Some(Bytes::from(bytes.clone()))),
            };
            let data_type = attribute.data_type.clone();
            let value = MessageAttributeValue {
                string_value,
                binary_value,
                data_type,
                ..MessageAttributeValue::default()
            };
            (name.clone(), value)
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
        let message = &self.message;
        send_to_queue(
            attempt,
            (&self.topic, self.trace()),
            SendMessageRequest {
                queue_url: queue.to_owned(),
                message_body: body,
                message_attributes: attributes,
                // A standard queue takes groups too, and no deduplication id.
                message_group_id: message.message.group.clone(),
                message_deduplication_id: message.deduplication_id.clone().filter(|_| is_fifo(queue)),
                ..SendMessageRequest::default()
            },
        )
        .await
    }

    /// Leaves it to the function's own queue: what the function does with it is Lambda's affair from there.
    async fn invoke(&self, attempt: &Attempt, event: String) -> Result<(), Missed> {
        let function = &self.subscription.endpoint;
        let input = InvocationRequest {
            function_name: function.clone(),
            invocation_type: Some(InvocationType::Event),
            payload: Some(Bytes::from(event)),
            ..InvocationRequest::default()
        };
        call::<Invoke>(attempt, (&self.topic, self.trace()), function, input).await.map(|_accepted| ())
    }

    async fn post(&self, sns: &Sns, body: String) -> Result<(), Missed> {
        let attributes = &self.subscription.attributes;
        let own = attributes.delivery_policy.as_ref();
        let topics = self.topic_record.attributes.delivery_policy.as_ref();
        let chosen = own.or(topics).and_then(|policy| policy.content_type.clone());
        let mut headers = headers("Notification", &self.message_id, &self.topic);
        headers.push(("x-amz-sns-subscription-arn", self.arn.clone()));
        headers.push(("content-type", chosen.unwrap_or_else(|| CONTENT_TYPE.into())));
        if attributes.is_raw {
            headers.push(("x-amz-sns-rawdelivery", "true".into()));
        }
        post(sns, Post { url: self.subscription.endpoint.clone(), headers, body }).await
    }

    /// Keeps what a person is to read.
    async fn write(&self, sns: &Sns, text: String) -> Result<(), Missed> {
        let subscription = self.arn.rsplit(':').next().unwrap_or_default();
        let is_mail = self.subscription.protocol != Protocol::Sms;
        let subject = self.message.message.subject.clone().unwrap_or_else(|| SUBJECT.into());
        let letter = Letter {
            carrier: if is_mail { Carrier::Email } else { Carrier::Sms },
            id: format!("{}-{subscription}", self.message_id),
            to: self.subscription.endpoint.clone(),
            from: self.topic_record.attributes.sender(&self.topic),
            subject: Some(subject).filter(|_| is_mail),
            text,
            at: self.message.published_at(),
        };
        keep(sns, letter).await
    }

    /// Sends to the dead-letter queue what would have been delivered, with why it was not.
    pub(crate) async fn give_up(
        &self,
        sns: &Sns,
        attempt: &Attempt,
        queue: &str,
        missed: &Missed,
    ) -> Result<(), Missed> {
        let notification = self.notification(sns);
        let body = match self.subscription.protocol {
            Protocol::Lambda => notification.event(&self.sign(sns, &notification).await?),
            _ => self.body(sns, &notification).await?,
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
}

/// Sends to a queue on the topic's behalf, in that trace.
pub(crate) async fn send_to_queue(
    attempt: &Attempt,
    behalf: (&TopicId, Option<&str>),
    input: SendMessageRequest,
) -> Result<(), Missed> {
    let queue = input.queue_url.clone();
    call::<SendMessage>(attempt, behalf, &queue, input).await.map(|_sent| ())
}

/// Calls as SNS, on the topic's behalf and in that trace: the target's own policy decides.
async fn call<O: Operation>(
    attempt: &Attempt,
    (topic, trace): (&TopicId, Option<&str>),
    target: &str,
    input: O::Input,
) -> Result<O::Output, Missed> {
    let arn: Option<Arn> = target.parse().ok();
    let place = arn.and_then(|arn| Some((arn.account.parse().ok()?, arn.region.parse().ok()?)));
    let (account, region) = place.unwrap_or((topic.account, topic.region.clone()));
    let caller = Caller::service(PRINCIPAL, account, region);
    let trace = trace.map(str::to_owned);
    let origin = Origin { source: Some(Box::new(topic.arn())), trace, ..Origin::default() };
    let context = attempt.platform.context(caller, origin, Some(attempt.id.as_str().into()));
    Ok(attempt.platform.call::<O>(context, input).await?)
}

/// What every post says of itself.
pub(crate) fn headers(kind: &str, message_id: &str, topic: &TopicId) -> Vec<(&'static str, String)> {
    vec![
        ("x-amz-sns-message-type", kind.to_owned()),
        ("x-amz-sns-message-id", message_id.to_owned()),
        ("x-amz-sns-topic-arn", topic.to_string()),
        ("user-agent", "Amazon Simple Notification Service Agent".to_owned()),
    ]
}

/// What an endpoint answers decides: throttling and its own failures are repeated, mistakes are not.
pub(crate) async fn post(sns: &Sns, post: Post) -> Result<(), Missed> {
    let turn = sns.posts.take(&post.url).ok_or_else(Missed::busy)?;
    let answer = sns.endpoints.post(post).await;
    let status = answer.map_err(|text| Missed::later("EndpointUnreachable", text))?;
    turn.answered();
    match status {
        200..=299 => Ok(()),
        429 | 500.. => Err(Missed::later(&status.to_string(), format!("the endpoint answered {status}"))),
        _ => Err(Missed::last(&status.to_string(), format!("the endpoint answered {status}"))),
    }
}

/// Keeps a letter.
pub(crate) async fn keep(sns: &Sns, letter: Letter) -> Result<(), Missed> {
    sns.letters.keep(letter).await.map_err(|text| Missed::later("NotKept", text))
}
