//! `DeleteMessageBatch`: up to ten deletions, each with a success or a failure of its own.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    DeleteMessageBatch, DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry,
};
use apus_schema::ServiceError;

use super::{queue_of, receipt_of, resource_of};
use crate::{Sqs, batch, errors};

pub(crate) const ACCESS: Access<DeleteMessageBatch> =
    Access::new("sqs:DeleteMessage", |input: &DeleteMessageBatchRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn delete_message_batch(
    sqs: Arc<Sqs>,
    context: Context,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    batch::check("DeleteMessageBatchRequestEntry", input.entries.iter().map(|entry| &entry.id))?;
    let mut result = DeleteMessageBatchResult::default();
    let (mut receipts, mut entries) = (Vec::new(), Vec::new());
    for entry in input.entries {
        match receipt_of(&entry.receipt_handle) {
            Ok(receipt) => {
                receipts.push(receipt);
                entries.push(entry);
            }
            Err(error) => result.failed.push(batch::failed(entry.id, &error)),
        }
    }
    let answers = sqs.lanes.delete(id, receipts).await?;
    for (entry, answer) in entries.into_iter().zip(answers) {
        match answer.map_err(|error| errors::of_receipt(error, &entry.receipt_handle)) {
            Ok(()) => result.successful.push(DeleteMessageBatchResultEntry { id: entry.id }),
            Err(error) => result.failed.push(batch::failed(entry.id, &error)),
        }
    }
    Ok(result)
}
