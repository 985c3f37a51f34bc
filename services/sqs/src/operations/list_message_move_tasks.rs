//! `ListMessageMoveTasks`: the last tasks of a queue, the latest first.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    ListMessageMoveTasks, ListMessageMoveTasksRequest, ListMessageMoveTasksResult,
    ListMessageMoveTasksResultEntry,
};
use apus_schema::ServiceError;

use super::{own_queue_of_arn, resource_of_arn};
use crate::errors::JobError;
use crate::move_handle::MoveHandle;
use crate::queue_id::QueueId;
use crate::store::{MoveRecord, MoveStatus, Moves};
use crate::{Sqs, errors};

/// The most tasks of an answer.
const RESULTS_MAX: i32 = 10;

pub(crate) const ACCESS: Access<ListMessageMoveTasks> =
    Access::new("sqs:ListMessageMoveTasks", |input: &ListMessageMoveTasksRequest, _| {
        resource_of_arn(&input.source_arn)
    });

pub(crate) async fn list_message_move_tasks(
    sqs: Arc<Sqs>,
    context: Context,
    input: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult, ServiceError> {
    let source = own_queue_of_arn(&input.source_arn, "SourceArn", &context.caller)?;
    let limit = match input.max_results {
        None => 1,
        Some(limit @ 1..=RESULTS_MAX) => limit,
        Some(limit) => {
            return Err(errors::out_of_bounds(limit.into(), "MaxResults", 1, RESULTS_MAX.into()));
        }
    };
    let queue = sqs.lanes.queue(&source).await.map_err(|error| match error {
        JobError::NoQueue => errors::no_such_resource("SourceArn"),
        other => other.into(),
    })?;
    let tasks = sqs.store.read(|tx| {
        let moves = Moves::of(&source, &queue);
        async move { Ok::<_, JobError>(moves.list(&tx).await?) }
    });
    let tasks = tasks.await?.into_iter().take(limit as usize);
    let results: Vec<_> = tasks.map(|(_, task)| shape(task, &source)).collect();
    Ok(ListMessageMoveTasksResult { results: (!results.is_empty()).then_some(results) })
}

fn shape(task: MoveRecord, source: &QueueId) -> ListMessageMoveTasksResultEntry {
    let handle = MoveHandle { task: task.id, source: source.clone() };
    ListMessageMoveTasksResultEntry {
        // Only a task under way can be cancelled, and only that one has a handle.
        task_handle: (task.status == MoveStatus::Running).then(|| handle.to_text()),
        status: Some(task.status.as_str().to_owned()),
        source_arn: Some(source.arn().to_string()),
        destination_arn: task.destination,
        max_number_of_messages_per_second: task.per_second_max.map(|rate| rate as i32),
        approximate_number_of_messages_moved: Some(task.moved as i64),
        approximate_number_of_messages_to_move: Some(task.to_move as i64),
        failure_reason: task.failure,
        started_timestamp: Some(task.started_at_micros.div_euclid(1_000)),
    }
}
