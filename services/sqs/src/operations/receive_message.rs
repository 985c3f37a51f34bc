//! `ReceiveMessage`: takes messages for a time, and waits for a first one if asked to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, ReceiveMessage,
    ReceiveMessageRequest, ReceiveMessageResult,
};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::lane::{Received, Wish};
use crate::message::{self, Attribute, AttributeValue};
use crate::{Sqs, digest, errors, sequence};

const MESSAGES_MAX: i32 = 10;
const WAIT_SECS_MAX: i32 = 20;
const VISIBILITY_SECS_MAX: i32 = 43_200;

pub(crate) const ACCESS: Access<ReceiveMessage> =
    Access::new("sqs:ReceiveMessage", |input: &ReceiveMessageRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn receive_message(
    sqs: Arc<Sqs>,
    context: Context,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let limit = bounded(input.max_number_of_messages, "MaxNumberOfMessages", 1, MESSAGES_MAX)?.unwrap_or(1);
    let visibility = bounded(input.visibility_timeout, "VisibilityTimeout", 0, VISIBILITY_SECS_MAX)?;
    let wait = bounded(input.wait_time_seconds, "WaitTimeSeconds", 0, WAIT_SECS_MAX)?;
    let names = Names::of(input.attribute_names.as_deref(), input.message_system_attribute_names.as_deref())?;
    let queue = sqs.lanes.queue(&id).await?.attributes.clone();
    let is_fifo = queue.fifo.is_some();
    let wait = wait.map_or(queue.receive_wait(), |seconds| Duration::from_secs(seconds.into()));
    let wish = Wish {
        limit: limit as usize,
        visibility_timeout: visibility.map(|seconds| Duration::from_secs(seconds.into())),
        deadline: (!wait.is_zero()).then(|| sqs.env.now() + wait),
        attempt: attempt(input.receive_request_attempt_id, is_fifo)?,
    };
    let received = sqs.lanes.receive(id, wish).await?;
    let wanted = input.message_attribute_names.unwrap_or_default();
    let messages: Vec<_> = received.into_iter().map(|one| shape(one, &names, &wanted, is_fifo)).collect();
    // An empty answer has no list at all, in both protocols.
    Ok(ReceiveMessageResult { messages: (!messages.is_empty()).then_some(messages) })
}

fn attempt(given: Option<String>, is_fifo: bool) -> Result<Option<String>, ServiceError> {
    match given {
        Some(id) if !is_fifo => Err(errors::not_for_this_type(&id, "ReceiveRequestAttemptId")),
        Some(id) if !message::is_id(&id) => Err(errors::invalid_id(&id, "ReceiveRequestAttemptId")),
        given => Ok(given),
    }
}

fn bounded(given: Option<i32>, name: &str, min: i32, max: i32) -> Result<Option<u32>, ServiceError> {
    match given {
        None => Ok(None),
        Some(value) if (min..=max).contains(&value) => Ok(Some(value.unsigned_abs())),
        Some(value) => Err(errors::out_of_bounds(value.into(), name, min.into(), max.into())),
    }
}

/// Which system attributes the receiver wants.
struct Names(Vec<String>);

impl Names {
    /// From the older member and the newer one. The older is of the type of queue attributes, whose names mean nothing
    /// here and are let be.
    fn of<A: ToString, B: ToString>(old: Option<&[A]>, new: Option<&[B]>) -> Result<Self, ServiceError> {
        let old = old.into_iter().flatten().map(ToString::to_string);
        let new = new.into_iter().flatten().map(ToString::to_string);
        let names: Vec<String> = old.chain(new).collect();
        let is_known = |name: &&str| {
            MessageSystemAttributeName::VALUES.contains(name) || QueueAttributeName::VALUES.contains(name)
        };
        match names.iter().find(|name| !is_known(&name.as_str())) {
            Some(unknown) => Err(errors::unknown_attribute(unknown)),
            None => Ok(Self(names)),
        }
    }

    fn want(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| wanted == "All" || wanted == name)
    }
}

fn shape(received: Received, names: &Names, wanted: &[String], is_fifo: bool) -> Message {
    let Received { message, delivery, receipt } = received;
    let system = [
        ("SenderId", Some(message.sender)),
        ("SentTimestamp", Some((message.sent_at_micros / 1_000).to_string())),
        ("ApproximateReceiveCount", Some(delivery.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some((delivery.first_received_at_micros / 1_000).to_string())),
        ("AWSTraceHeader", message.trace_header),
        ("MessageGroupId", message.group),
        ("MessageDeduplicationId", message.deduplication_id),
        ("SequenceNumber", is_fifo.then(|| sequence::number(receipt.position))),
        ("DeadLetterQueueSourceArn", message.dead_letter_source),
    ];
    let system: BTreeMap<String, String> = system
        .into_iter()
        .filter(|(name, _)| names.want(name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    let attributes: BTreeMap<String, Attribute> =
        message.attributes.into_iter().filter(|(name, _)| is_wanted(name, wanted)).collect();
    Message {
        message_id: Some(message.id),
        receipt_handle: Some(receipt.to_handle()),
        md5_of_body: Some(digest::md5_of_body(&message.body)),
        body: Some(message.body),
        attributes: (!system.is_empty()).then_some(system),
        md5_of_message_attributes: digest::md5_of_attributes(&attributes),
        message_attributes: (!attributes.is_empty())
            .then(|| attributes.into_iter().map(|(name, value)| (name, shape_attribute(value))).collect()),
    }
}

/// `All`, `.*`, a name, or a prefix followed by `.*`.
fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|pattern| match pattern.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == "All" || pattern == name,
    })
}

fn shape_attribute(attribute: Attribute) -> MessageAttributeValue {
    let (string_value, binary_value) = match attribute.value {
        AttributeValue::String(text) => (Some(text), None),
        AttributeValue::Binary(bytes) => (None, Some(bytes.into())),
    };
    MessageAttributeValue {
        string_value,
        binary_value,
        data_type: attribute.data_type,
        ..MessageAttributeValue::default()
    }
}
