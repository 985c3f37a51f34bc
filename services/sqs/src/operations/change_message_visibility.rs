//! `ChangeMessageVisibility`: a message in flight stays so for so long from now on.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Access, Context};
use apus_model_sqs::{ChangeMessageVisibility, ChangeMessageVisibilityRequest};
use apus_schema::{ServiceError, Unit};

use super::{queue_of, receipt_of, resource_of};
use crate::{Sqs, errors};

/// The longest visibility timeout, in seconds.
const TIMEOUT_SECS_MAX: i32 = 43_200;

pub(crate) const ACCESS: Access<ChangeMessageVisibility> =
    Access::new("sqs:ChangeMessageVisibility", |input: &ChangeMessageVisibilityRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn change_message_visibility(
    sqs: Arc<Sqs>,
    context: Context,
    input: ChangeMessageVisibilityRequest,
) -> Result<Unit, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let receipt = receipt_of(&input.receipt_handle)?;
    let timeout = visibility_timeout(input.visibility_timeout)?;
    let answers = sqs.lanes.hide(id, vec![(receipt, timeout)]).await?;
    for answer in answers {
        answer.map_err(|error| errors::of_receipt(error, &input.receipt_handle))?;
    }
    Ok(Unit)
}

/// Reads a timeout that is given.
pub(super) fn visibility_timeout(seconds: i32) -> Result<Duration, ServiceError> {
    if (0..=TIMEOUT_SECS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds.unsigned_abs().into()));
    }
    Err(errors::out_of_bounds(seconds.into(), "VisibilityTimeout", 0, TIMEOUT_SECS_MAX.into()))
}
