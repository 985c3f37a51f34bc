//! `ChangeMessageVisibilityBatch`: up to ten changes, each with a success or a failure of its own.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    ChangeMessageVisibilityBatch, ChangeMessageVisibilityBatchRequest,
    ChangeMessageVisibilityBatchRequestEntry, ChangeMessageVisibilityBatchResult,
    ChangeMessageVisibilityBatchResultEntry,
};
use apus_schema::ServiceError;

use super::change_message_visibility::visibility_timeout;
use super::{queue_of, receipt_of, resource_of};
use crate::{Sqs, batch, errors};

pub(crate) const ACCESS: Access<ChangeMessageVisibilityBatch> =
    Access::new("sqs:ChangeMessageVisibility", |input: &ChangeMessageVisibilityBatchRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn change_message_visibility_batch(
    sqs: Arc<Sqs>,
    context: Context,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    batch::check("ChangeMessageVisibilityBatchRequestEntry", input.entries.iter().map(|entry| &entry.id))?;
    let mut result = ChangeMessageVisibilityBatchResult::default();
    let (mut changes, mut entries) = (Vec::new(), Vec::new());
    for entry in input.entries {
        match change(&entry) {
            Ok(change) => {
                changes.push(change);
                entries.push(entry);
            }
            Err(error) => result.failed.push(batch::failed(entry.id, &error)),
        }
    }
    let answers = sqs.lanes.hide(id, changes).await?;
    for (entry, answer) in entries.into_iter().zip(answers) {
        match answer.map_err(|error| errors::of_receipt(error, &entry.receipt_handle)) {
            Ok(()) => result.successful.push(ChangeMessageVisibilityBatchResultEntry { id: entry.id }),
            Err(error) => result.failed.push(batch::failed(entry.id, &error)),
        }
    }
    Ok(result)
}

fn change(
    entry: &ChangeMessageVisibilityBatchRequestEntry,
) -> Result<(crate::receipt::Receipt, std::time::Duration), ServiceError> {
    let timeout = entry.visibility_timeout.ok_or_else(|| errors::missing_parameter("VisibilityTimeout"))?;
    Ok((receipt_of(&entry.receipt_handle)?, visibility_timeout(timeout)?))
}
