//! A message as a sender gives it, alone or in a batch, made into one that a queue can keep.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_model_sqs::{
    MessageAttributeValue, MessageSystemAttributeValue, SendMessageBatchRequestEntry, SendMessageRequest,
};
use apus_schema::ServiceError;
use apus_time::Timestamp;
use sha2::{Digest, Sha256};

use crate::attributes::Attributes;
use crate::message::{self, Attribute, AttributeValue, MessageError};
use crate::store::MessageRecord;
use crate::{digest, errors};

/// The longest delay of a message, in seconds.
const DELAY_SECS_MAX: i32 = 900;
/// The system attribute that a sender may set.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// What a sender gives.
pub(crate) struct Outgoing {
    body: String,
    delay_seconds: Option<i32>,
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    system_attributes: Option<BTreeMap<String, MessageSystemAttributeValue>>,
    deduplication_id: Option<String>,
    group: Option<String>,
}

/// The digests that the sender is answered with.
#[derive(Debug)]
pub(crate) struct Digests {
    pub(crate) body: String,
    pub(crate) attributes: Option<String>,
    pub(crate) system_attributes: Option<String>,
}

impl From<SendMessageRequest> for Outgoing {
    fn from(request: SendMessageRequest) -> Self {
        Self {
            body: request.message_body,
            delay_seconds: request.delay_seconds,
            attributes: request.message_attributes,
            system_attributes: request.message_system_attributes,
            deduplication_id: request.message_deduplication_id,
            group: request.message_group_id,
        }
    }
}

impl From<SendMessageBatchRequestEntry> for Outgoing {
    fn from(entry: SendMessageBatchRequestEntry) -> Self {
        Self {
            body: entry.message_body,
            delay_seconds: entry.delay_seconds,
            attributes: entry.message_attributes,
            system_attributes: entry.message_system_attributes,
            deduplication_id: entry.message_deduplication_id,
            group: entry.message_group_id,
        }
    }
}

impl Outgoing {
    /// What the message counts of a batch's bytes.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().flatten();
        let values = attributes.map(|(name, value)| {
            let text = value.string_value.as_ref().map_or(0, String::len);
            let binary = value.binary_value.as_ref().map_or(0, bytes::Bytes::len);
            name.len() + value.data_type.len() + text + binary
        });
        self.body.len() + values.sum::<usize>()
    }

    /// The message as that queue keeps it, sent now by that sender under that id. The trace of the request is the
    /// message's, unless it brings one.
    pub(crate) fn for_queue(
        self,
        queue: &Attributes,
        now: Timestamp,
        sender: &str,
        trace: Option<&str>,
        id: String,
    ) -> Result<(MessageRecord, Digests), ServiceError> {
        let is_fifo = queue.fifo.is_some();
        let delay = delay(self.delay_seconds, is_fifo)?.unwrap_or(queue.delay());
        let trace_header = trace_header(self.system_attributes)?;
        let given = self.attributes.unwrap_or_default().into_iter();
        let attributes: BTreeMap<String, Attribute> = given
            .map(|(name, value)| Ok((name.clone(), attribute(name, value)?)))
            .collect::<Result<_, ServiceError>>()?;
        message::check(&self.body, &attributes, queue.message_bytes_max)?;
        let group = group(self.group, is_fifo)?;
        let deduplication_id = deduplication_id(self.deduplication_id, queue, &self.body)?;
        let digests = Digests {
            body: digest::md5_of_body(&self.body),
            attributes: digest::md5_of_attributes(&attributes),
            system_attributes: trace_header.as_ref().and_then(|header| {
                let value = AttributeValue::String(header.clone());
                let attribute = Attribute { data_type: "String".into(), value };
                digest::md5_of_attributes(&BTreeMap::from([(TRACE_HEADER.to_owned(), attribute)]))
            }),
        };
        let record = MessageRecord {
            id,
            body: self.body,
            attributes,
            sender: sender.to_owned(),
            sent_at_micros: now.as_micros(),
            visible_at_micros: (now + delay).as_micros(),
            trace_header: trace_header.or_else(|| trace.map(str::to_owned)),
            group,
            deduplication_id,
            dead_letter_source: None,
        };
        Ok((record, digests))
    }
}

fn group(given: Option<String>, is_fifo: bool) -> Result<Option<String>, ServiceError> {
    match given {
        None if is_fifo => Err(errors::missing_parameter("MessageGroupId")),
        Some(group) if !message::is_id(&group) => Err(errors::invalid_id(&group, "MessageGroupId")),
        given => Ok(given),
    }
}

fn deduplication_id(
    given: Option<String>,
    queue: &Attributes,
    body: &str,
) -> Result<Option<String>, ServiceError> {
    match (given, &queue.fifo) {
        (None, None) => Ok(None),
        (Some(id), None) => Err(errors::not_for_this_type(&id, "MessageDeduplicationId")),
        (Some(id), Some(_)) if !message::is_id(&id) => Err(errors::invalid_id(&id, "MessageDeduplicationId")),
        (Some(id), Some(_)) => Ok(Some(id)),
        (None, Some(fifo)) if fifo.content_based_deduplication => {
            Ok(Some(digest::hex(Sha256::digest(body.as_bytes()).as_ref())))
        }
        (None, Some(_)) => Err(errors::invalid_parameter(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly",
        )),
    }
}

fn delay(seconds: Option<i32>, is_fifo: bool) -> Result<Option<Duration>, ServiceError> {
    match seconds {
        None => Ok(None),
        // All messages of a FIFO queue wait for as long as the queue says.
        Some(0) if is_fifo => Ok(None),
        Some(seconds) if is_fifo => Err(errors::not_for_this_type(&seconds.to_string(), "DelaySeconds")),
        Some(seconds @ 0..=DELAY_SECS_MAX) => Ok(Some(Duration::from_secs(seconds.unsigned_abs().into()))),
        Some(seconds) => Err(errors::invalid_parameter(format!(
            "Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= \
             {DELAY_SECS_MAX}."
        ))),
    }
}

fn attribute(name: String, given: MessageAttributeValue) -> Result<Attribute, ServiceError> {
    if given.string_list_values.is_some() || given.binary_list_values.is_some() {
        // SQS has these members in its model and answers this since ever.
        return Err(errors::invalid_parameter(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    let value = match (given.string_value, given.binary_value) {
        (Some(text), None) => AttributeValue::String(text),
        (None, Some(bytes)) => AttributeValue::Binary(bytes.to_vec()),
        (None, None) => return Err(MessageError::AttributeEmpty(name).into()),
        (Some(_), Some(_)) => {
            return Err(errors::invalid_parameter(format!(
                "Message attribute '{name}' has both a string and a binary value."
            )));
        }
    };
    Ok(Attribute { data_type: given.data_type, value })
}

fn trace_header(
    given: Option<BTreeMap<String, MessageSystemAttributeValue>>,
) -> Result<Option<String>, ServiceError> {
    let mut given = given.unwrap_or_default();
    let header = given.remove(TRACE_HEADER);
    if let Some(name) = given.into_keys().next() {
        return Err(errors::invalid_parameter(format!("Message system attribute name '{name}' is invalid.")));
    }
    header
        .map(|header| {
            header.string_value.filter(|_| header.data_type == "String").ok_or_else(|| {
                errors::invalid_parameter("Message system attribute 'AWSTraceHeader' must be a String.")
            })
        })
        .transpose()
}
