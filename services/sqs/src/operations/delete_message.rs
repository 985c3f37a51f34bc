//! `DeleteMessage`: deletes a message by the handle of its latest receive.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{DeleteMessage, DeleteMessageRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, receipt_of, resource_of};
use crate::{Sqs, errors};

pub(crate) const ACCESS: Access<DeleteMessage> =
    Access::new("sqs:DeleteMessage", |input: &DeleteMessageRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn delete_message(
    sqs: Arc<Sqs>,
    context: Context,
    input: DeleteMessageRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let receipt = receipt_of(&input.receipt_handle)?;
    for answer in sqs.lanes.delete(id, vec![receipt]).await? {
        answer.map_err(|error| errors::of_receipt(error, &input.receipt_handle))?;
    }
    Ok(Unit)
}
