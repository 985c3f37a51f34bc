//! `StartMessageMoveTask`: moves a dead-letter queue's messages back to where they came from, or elsewhere.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{StartMessageMoveTask, StartMessageMoveTaskRequest, StartMessageMoveTaskResult};
use apus_schema::ServiceError;

use super::{own_queue_of_arn, resource_of_arn};
use crate::errors::JobError;
use crate::lane::MoveCommand;
use crate::move_handle::MoveHandle;
use crate::{Sqs, errors, store};

/// The most messages a second.
const RATE_MAX: i32 = 500;

pub(crate) const ACCESS: Access<StartMessageMoveTask> =
    Access::new("sqs:StartMessageMoveTask", |input: &StartMessageMoveTaskRequest, _| {
        resource_of_arn(&input.source_arn)
    });

pub(crate) async fn start_message_move_task(
    sqs: Arc<Sqs>,
    context: Context,
    input: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult, ServiceError> {
    let source = own_queue_of_arn(&input.source_arn, "SourceArn", &context.caller)?;
    let per_second_max = match input.max_number_of_messages_per_second {
        None => None,
        Some(rate @ 1..=RATE_MAX) => Some(rate.unsigned_abs()),
        Some(rate) => {
            let parameter = "MaxNumberOfMessagesPerSecond";
            return Err(errors::out_of_bounds(rate.into(), parameter, 1, RATE_MAX.into()));
        }
    };
    let missing = |parameter| {
        move |error| match error {
            JobError::NoQueue => errors::no_such_resource(parameter),
            other => other.into(),
        }
    };
    let _there = sqs.lanes.queue(&source).await.map_err(missing("SourceArn"))?;
    let destination = match input.destination_arn {
        None => None,
        Some(arn) => {
            let id = own_queue_of_arn(&arn, "DestinationArn", &context.caller)?;
            let _there = sqs.lanes.queue(&id).await.map_err(missing("DestinationArn"))?;
            if id == source {
                return Err(errors::invalid_parameter(
                    "Source queue arn and destination queue arn cannot be the same.",
                ));
            }
            if id.name.is_fifo() != source.name.is_fifo() {
                return Err(errors::invalid_parameter(
                    "Source and destination queues must be of the same type.",
                ));
            }
            Some(id.arn().to_string())
        }
    };
    let has_sources = sqs.store.read(|tx| {
        let source = source.clone();
        async move { Ok::<_, JobError>(!store::source_names(&tx, &source, None, 1).await?.is_empty()) }
    });
    if !has_sources.await? {
        return Err(errors::invalid_parameter("Source queue must be configured as a Dead Letter Queue."));
    }
    let id = sqs.env.uuid_v4();
    let handle = MoveHandle { task: id.clone(), source: source.clone() };
    sqs.lanes.move_messages(source, MoveCommand::Start { id, destination, per_second_max }).await?;
    Ok(StartMessageMoveTaskResult { task_handle: Some(handle.to_text()) })
}
