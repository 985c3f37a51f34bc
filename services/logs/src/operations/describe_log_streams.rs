//! `DescribeLogStreams`: the streams of a group, by name or by their last event, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    DescribeLogStreams, DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::{Refusal, invalid_token};
use crate::names::{GroupId, identified_resource};
use crate::sequence;
use crate::store::{self, Group, StreamRecord};

const PAGE_MAX: usize = 50;

pub(crate) const ACCESS: Access<DescribeLogStreams> =
    Access::new("logs:DescribeLogStreams", |input: &DescribeLogStreamsRequest, caller| {
        let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
        identified_resource(caller, name, identifier, "")
    });

pub(crate) async fn describe_log_streams(
    logs: Arc<Logs>,
    context: Context,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, ServiceError> {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let id = GroupId::either(&context.caller, name, identifier)?;
    let by_last_event = input.order_by == Some(OrderBy::LastEventTime);
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    if by_last_event && !prefix.is_empty() {
        return Err(Refusal::parameter("Cannot order by LastEventTime with a logStreamNamePrefix.").into());
    }
    let descending = input.descending == Some(true);
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let after = input.next_token.map(|token| read_token(&token)).transpose()?;
    let (mut found, id) = logs
        .store
        .read(|tx| async move {
            let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
            let group = Group::of(&id, &record);
            // One more than the page says whether there is another.
            let after = after.as_ref().map(|(time, name)| (*time, name.as_str()));
            let found = if by_last_event {
                group.streams_by_last_event(&tx, after, descending, limit + 1).await?
            } else {
                let after = after.map(|(_, name)| name);
                group.streams_by_name(&tx, &prefix, after, descending, limit + 1).await?
            };
            Ok::<_, Refusal>((found, id))
        })
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|(name, stream)| {
        format!("{}:{name}", if by_last_event { stream.last_event_ms.unwrap_or(-1) } else { 0 })
    });
    let log_streams = Some(found.into_iter().map(|(name, stream)| describe(&id, name, &stream)).collect());
    Ok(DescribeLogStreamsResponse { log_streams, next_token })
}

/// A page's token is the place that the page before it ended with.
fn read_token(token: &str) -> Result<(i64, String), Refusal> {
    let (time, name) = token.split_once(':').ok_or_else(invalid_token)?;
    Ok((time.parse().map_err(|_| invalid_token())?, name.to_owned()))
}

fn describe(id: &GroupId, name: String, stream: &StreamRecord) -> LogStream {
    LogStream {
        arn: Some(id.stream_arn(&name).to_string()),
        creation_time: Some(stream.created_at_ms),
        first_event_timestamp: stream.first_event_ms,
        last_event_timestamp: stream.last_event_ms,
        last_ingestion_time: stream.last_ingested_ms,
        // Tokens are ignored, and shown for clients that still pass them on.
        upload_sequence_token: Some(sequence::token(stream.number)),
        // AWS counts no bytes of streams any more.
        stored_bytes: Some(0),
        log_stream_name: Some(name),
    }
}
