//! `SendMessageBatch`: up to ten messages, each with a success or a failure of its own.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    SendMessageBatch, SendMessageBatchRequest, SendMessageBatchResult, SendMessageBatchResultEntry,
};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::batch::{self, BATCH_BYTES_MAX, BatchError};
use crate::outgoing::Outgoing;
use crate::{Sqs, sequence};

pub(crate) const ACCESS: Access<SendMessageBatch> =
    Access::new("sqs:SendMessage", |input: &SendMessageBatchRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn send_message_batch(
    sqs: Arc<Sqs>,
    context: Context,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    batch::check("SendMessageBatchRequestEntry", input.entries.iter().map(|entry| &entry.id))?;
    let queue = sqs.lanes.queue(&id).await?;
    let is_fifo = queue.attributes.fifo.is_some();
    let entries: Vec<(String, Outgoing)> =
        input.entries.into_iter().map(|entry| (entry.id.clone(), Outgoing::from(entry))).collect();
    let bytes = entries.iter().map(|(_, outgoing)| outgoing.bytes()).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(BatchError::TooLong(bytes).into());
    }
    let (now, sender) = (sqs.env.now(), context.caller.principal.user_id());
    let trace = context.origin.trace.as_deref();
    let mut result = SendMessageBatchResult::default();
    let (mut records, mut accepted) = (Vec::new(), Vec::new());
    for (entry, outgoing) in entries {
        match outgoing.for_queue(&queue.attributes, now, &sender, trace, sqs.env.uuid_v4()) {
            Ok((record, digests)) => {
                records.push(record);
                accepted.push((entry, digests));
            }
            Err(error) => result.failed.push(batch::failed(entry, &error)),
        }
    }
    if records.is_empty() {
        return Ok(result);
    }
    let sent = sqs.lanes.send(id, records).await?;
    let successes = accepted.into_iter().zip(sent).map(|((id, digests), sent)| SendMessageBatchResultEntry {
        id,
        message_id: sent.message_id,
        md5_of_message_body: digests.body,
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system_attributes,
        sequence_number: is_fifo.then(|| sequence::number(sent.position)),
    });
    result.successful.extend(successes);
    Ok(result)
}
