//! `PutLogEvents`: appends a batch of events to a stream.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    EntityRejectionErrorType, PutLogEvents, PutLogEventsRequest, PutLogEventsResponse, RejectedEntityInfo,
    RejectedLogEventsInfo,
};
use apus_schema::ServiceError;

use crate::batch::{self, Given, Rejected};
use crate::names::GroupId;
use crate::{Logs, sequence};

pub(crate) const ACCESS: Access<PutLogEvents> =
    Access::new("logs:PutLogEvents", |input: &PutLogEventsRequest, caller| {
        vec![GroupId::of(caller, &input.log_group_name).stream_arn(&input.log_stream_name).into()]
    });

pub(crate) async fn put_log_events(
    logs: Arc<Logs>,
    context: Context,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, ServiceError> {
    let given = input.log_events.into_iter();
    let events: Vec<_> =
        given.map(|event| Given { time_ms: event.timestamp, message: event.message }).collect();
    batch::check(&events)?;
    let id = GroupId::of(&context.caller, input.log_group_name);
    let rejected = logs.lanes.append(id, input.log_stream_name, events).await?;
    // Entities are of another product; AWS too takes the events where it does not take the entity.
    let rejected_entity_info = input
        .entity
        .map(|_| RejectedEntityInfo { error_type: EntityRejectionErrorType::UnsupportedLogGroupType });
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(sequence::token(logs.env.random_u64())),
        rejected_log_events_info: told(rejected),
        rejected_entity_info,
    })
}

fn told(rejected: Rejected) -> Option<RejectedLogEventsInfo> {
    let index = |at: Option<usize>| at.map(|at| at as i32);
    (rejected != Rejected::default()).then(|| RejectedLogEventsInfo {
        too_new_log_event_start_index: index(rejected.too_new_from),
        too_old_log_event_end_index: index(rejected.too_old_before),
        expired_log_event_end_index: index(rejected.expired_before),
    })
}
