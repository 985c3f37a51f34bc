//! `StartMessageMoveTask`: moves a dead-letter queue's messages back to where they came from, or elsewhere.

use std::sync::Arc;

use apus_kernel::{Access, Context, Resource};
use apus_model_sqs::{StartMessageMoveTask, StartMessageMoveTaskRequest, StartMessageMoveTaskResult};
use apus_schema::ServiceError;

use super::{own_queue_of_arn, resource_of_arn};
use crate::errors::JobError;
use crate::lane::MoveCommand;
use crate::move_handle::MoveHandle;
use crate::queue_id::QueueId;
use crate::{Sqs, errors, store};

/// The most messages a second.
const RATE_MAX: i32 = 500;
/// The most queues to which messages may go back, each of which the caller must be allowed to send to.
const SOURCES_MAX: usize = 1_000;

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
            Some(id)
        }
    };
    let sources = sqs.store.read(|tx| {
        let source = source.clone();
        async move { Ok::<_, JobError>(store::source_names(&tx, &source, None, SOURCES_MAX).await?) }
    });
    let sources = sources.await?;
    if sources.is_empty() {
        return Err(errors::invalid_parameter("Source queue must be configured as a Dead Letter Queue."));
    }
    // Who has messages moved takes them from here and sends them there ("dead-letter queue redrive permissions").
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage"] {
        context.platform().authorize(&context, action, [source.arn().into()]).await?;
    }
    let receivers: Vec<Resource> = match &destination {
        Some(destination) => vec![destination.arn().into()],
        None => sources.into_iter().map(|name| QueueId { name, ..source.clone() }.arn().into()).collect(),
    };
    context.platform().authorize(&context, "sqs:SendMessage", receivers).await?;
    let destination = destination.map(|id| id.arn().to_string());
    let id = sqs.env.uuid_v4();
    let handle = MoveHandle { task: id.clone(), source: source.clone() };
    sqs.lanes.move_messages(source, MoveCommand::Start { id, destination, per_second_max }).await?;
    Ok(StartMessageMoveTaskResult { task_handle: Some(handle.to_text()) })
}
