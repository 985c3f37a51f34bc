//! `PublishBatch`: up to ten messages in one transaction, each with a success or a failure of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{
    BatchResultErrorEntry, PublishBatch, PublishBatchInput, PublishBatchRequestEntry, PublishBatchResponse,
    PublishBatchResultEntry, errors as modelled,
};
use apus_schema::{ErrorKind, Fault, ServiceError};

use super::resource_of;
use crate::errors;
use crate::message::{BYTES_MAX, Message};
use crate::topic::TopicId;
use crate::{Sns, publishing};

/// The most entries of a batch.
const ENTRIES_MAX: usize = 10;
/// The longest id of an entry.
const ID_LENGTH_MAX: usize = 80;

pub(crate) const ACCESS: Access<PublishBatch> =
    Access::new("sns:Publish", |input: &PublishBatchInput, _| resource_of(&input.topic_arn));

pub(crate) async fn publish_batch(
    sns: Arc<Sns>,
    context: Context,
    input: PublishBatchInput,
) -> Result<PublishBatchResponse, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let entries = input.publish_batch_request_entries;
    check(&entries)?;
    let topic = sns.topic(&id).await?.ok_or_else(errors::no_topic)?;
    let (mut ids, mut messages, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        let entry_id = entry.id.clone();
        let message = message(entry).and_then(|mut message| {
            message.trace.clone_from(&context.origin.trace);
            publishing::check(&topic.attributes, &message)?;
            Ok(message)
        });
        match message {
            Ok(message) => {
                ids.push(entry_id);
                messages.push((message, sns.env.uuid_v4()));
            }
            Err(error) => failed.push(failure(entry_id, &error)),
        }
    }
    let published = publishing::publish(&sns, &id, messages).await?;
    let successful = ids.into_iter().zip(published).map(|(entry, published)| PublishBatchResultEntry {
        id: Some(entry),
        message_id: Some(published.message_id),
        sequence_number: published.sequence_number,
    });
    Ok(PublishBatchResponse { successful: Some(successful.collect()), failed: Some(failed) })
}

/// What holds for all entries together.
fn check(entries: &[PublishBatchRequestEntry]) -> Result<(), ServiceError> {
    if entries.is_empty() {
        return Err(modelled::empty_batch_request_exception(
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > ENTRIES_MAX {
        return Err(modelled::too_many_entries_in_batch_request_exception(
            "The batch request contains more entries than permissible.",
        ));
    }
    let mut seen = BTreeSet::new();
    for entry in entries {
        let valid = (1..=ID_LENGTH_MAX).contains(&entry.id.len())
            && entry.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            return Err(modelled::invalid_batch_entry_id_exception(
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            ));
        }
        if !seen.insert(entry.id.as_str()) {
            return Err(modelled::batch_entry_ids_not_distinct_exception(
                "Two or more batch entries in the request have the same Id.",
            ));
        }
    }
    if entries.iter().map(|entry| entry.message.len()).sum::<usize>() > BYTES_MAX {
        return Err(modelled::batch_request_too_long_exception(
            "The length of all the messages put together is more than the limit.",
        ));
    }
    Ok(())
}

fn message(entry: PublishBatchRequestEntry) -> Result<Message, ServiceError> {
    Ok(Message::new(
        entry.message,
        entry.subject,
        entry.message_structure.as_deref(),
        entry.message_attributes.unwrap_or_default(),
        entry.message_group_id,
        entry.message_deduplication_id,
    )?)
}

fn failure(id: String, error: &ServiceError) -> BatchResultErrorEntry {
    let code = match error.kind() {
        ErrorKind::Modelled(schema) => schema.code,
        ErrorKind::Named { code, .. } => code,
        ErrorKind::Common(_) => "InternalError",
    };
    BatchResultErrorEntry {
        id,
        code: code.to_owned(),
        message: Some(error.message().to_owned()),
        sender_fault: error.fault() == Fault::Sender,
    }
}
