//! `CancelMessageMoveTask`: what has been moved stays moved.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{CancelMessageMoveTask, CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult};
use apus_schema::ServiceError;

use crate::errors::JobError;
use crate::lane::MoveCommand;
use crate::move_handle::MoveHandle;
use crate::{Sqs, errors};

pub(crate) const ACCESS: Access<CancelMessageMoveTask> =
    Access::new("sqs:CancelMessageMoveTask", |input: &CancelMessageMoveTaskRequest, _| {
        let handle = MoveHandle::parse(&input.task_handle);
        handle.map(|handle| handle.source.arn().into()).into_iter().collect()
    });

pub(crate) async fn cancel_message_move_task(
    sqs: Arc<Sqs>,
    context: Context,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, ServiceError> {
    let handle = MoveHandle::parse(&input.task_handle)
        .ok_or_else(|| errors::invalid_parameter("Value for parameter TaskHandle is invalid."))?;
    let caller = context.caller;
    if handle.source.account != caller.account || handle.source.region != caller.region {
        return Err(errors::no_such_resource("TaskHandle"));
    }
    let cancelled = sqs.lanes.move_messages(handle.source, MoveCommand::Cancel(handle.task)).await;
    let moved = cancelled.map_err(|error| match error {
        JobError::NoQueue => errors::no_such_resource("TaskHandle"),
        other => other.into(),
    })?;
    Ok(CancelMessageMoveTaskResult { approximate_number_of_messages_moved: Some(moved as i64) })
}
