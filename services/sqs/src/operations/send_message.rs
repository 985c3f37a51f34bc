//! `SendMessage`: acknowledged once it is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Access, Context};
use apus_model_sqs::{MessageAttributeValue, SendMessage, SendMessageRequest, SendMessageResult};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::message::{self, Attribute, AttributeValue, MessageError};
use crate::store::MessageRecord;
use crate::{Sqs, errors};

/// The longest delay of a message, in seconds.
const DELAY_SECS_MAX: i32 = 900;
/// The system attribute that a sender may set.
const TRACE_HEADER: &str = "AWSTraceHeader";

pub(crate) const ACCESS: Access<SendMessage> =
    Access::new("sqs:SendMessage", |input: &SendMessageRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn send_message(
    sqs: Arc<Sqs>,
    context: Context,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    refuse_fifo_members(&input)?;
    let delay = delay(input.delay_seconds)?;
    let trace_header = trace_header(input.message_system_attributes)?;
    let attributes = attributes(input.message_attributes.unwrap_or_default())?;
    let queue = sqs.queue(&id).await?.attributes;
    message::check(&input.message_body, &attributes, queue.message_bytes_max)?;
    let now = sqs.env.now();
    let sent = SendMessageResult {
        md5_of_message_body: Some(message::md5_of_body(&input.message_body)),
        md5_of_message_attributes: message::md5_of_attributes(&attributes),
        md5_of_message_system_attributes: trace_header.as_ref().and_then(|header| {
            let value = AttributeValue::String(header.clone());
            let attribute = Attribute { data_type: "String".into(), value };
            message::md5_of_attributes(&BTreeMap::from([(TRACE_HEADER.to_owned(), attribute)]))
        }),
        message_id: Some(sqs.env.uuid_v4()),
        ..SendMessageResult::default()
    };
    let record = MessageRecord {
        id: sent.message_id.clone().unwrap_or_default(),
        body: input.message_body,
        attributes,
        sender: context.caller.principal.user_id(),
        sent_at_micros: now.as_micros(),
        visible_at_micros: (now + delay.unwrap_or(queue.delay())).as_micros(),
        trace_header,
    };
    sqs.traffic.send(id, record).await?;
    Ok(sent)
}

fn refuse_fifo_members(input: &SendMessageRequest) -> Result<(), ServiceError> {
    if input.message_deduplication_id.is_some() {
        return Err(errors::invalid_parameter(
            "The request includes a parameter that is not valid for this queue type. Reason: \
             MessageDeduplicationId is for FIFO queues.",
        ));
    }
    if input.message_group_id.is_some() {
        return Err(errors::not_supported("MessageGroupId on standard queues (fair queues)"));
    }
    Ok(())
}

fn delay(seconds: Option<i32>) -> Result<Option<Duration>, ServiceError> {
    match seconds {
        None => Ok(None),
        Some(seconds @ 0..=DELAY_SECS_MAX) => Ok(Some(Duration::from_secs(seconds.unsigned_abs().into()))),
        Some(seconds) => Err(errors::invalid_parameter(format!(
            "Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= \
             {DELAY_SECS_MAX}."
        ))),
    }
}

fn attributes(
    given: BTreeMap<String, MessageAttributeValue>,
) -> Result<BTreeMap<String, Attribute>, ServiceError> {
    given.into_iter().map(|(name, value)| Ok((name.clone(), attribute(name, value)?))).collect()
}

fn attribute(name: String, given: MessageAttributeValue) -> Result<Attribute, ServiceError> {
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
    if given.string_list_values.is_some() || given.binary_list_values.is_some() {
        // SQS has these members in its model and answers this since ever.
        return Err(errors::invalid_parameter(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    Ok(Attribute { data_type: given.data_type, value })
}

fn trace_header(
    given: Option<BTreeMap<String, apus_model_sqs::MessageSystemAttributeValue>>,
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
