//! `SetQueueAttributes`: changes some of a queue's attributes.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{SetQueueAttributes, SetQueueAttributesRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, resource_of};
use crate::Sqs;
use crate::queue::Command;

pub(crate) const ACCESS: Access<SetQueueAttributes> =
    Access::new("sqs:SetQueueAttributes", |input: &SetQueueAttributesRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn set_queue_attributes(
    sqs: Arc<Sqs>,
    context: Context,
    input: SetQueueAttributesRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    sqs.check_redrive(&id, &input.attributes).await?;
    sqs.lanes.command(id, Command::SetAttributes(input.attributes)).await?;
    Ok(Unit)
}
