//! `GetLogEvents`: the events of one stream, in pages that go both ways.

use std::ops::ControlFlow;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{GetLogEvents, GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use apus_schema::ServiceError;

use crate::batch::EVENT_OVERHEAD_BYTES;
use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, identified_resource};
use crate::position::{Position, Way, read_token, token};
use crate::store::{self, Bounds, Group, StoredEvent, Streams};
use crate::{Logs, retention};

/// The most events of a page.
const PAGE_MAX: usize = 10_000;
/// The most bytes of a page, counted as those of a batch are.
const PAGE_BYTES_MAX: usize = 1_048_576;

pub(crate) const ACCESS: Access<GetLogEvents> =
    Access::new("logs:GetLogEvents", |input: &GetLogEventsRequest, caller| {
        let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
        identified_resource(caller, name, identifier, &input.log_stream_name)
    });

pub(crate) async fn get_log_events(
    logs: Arc<Logs>,
    context: Context,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, ServiceError> {
    if input.unmask == Some(true) {
        return Err(not_supported("unmask").into());
    }
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let id = GroupId::either(&context.caller, name, identifier)?;
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let given = input.next_token.as_deref().map(read_token).transpose()?;
    let from_head = input.start_from_head == Some(true);
    let way = given.map_or(if from_head { Way::Forward } else { Way::Backward }, |(way, _)| way);
    // The time that a page ends before is not in it.
    let end = input.end_time.map_or(Position::after(i64::MAX), Position::before);
    let stream_name = input.log_stream_name;
    let events = logs.store.read(|tx| async move {
        let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
        let group = Group::of(&id, &record);
        let stream = group.stream(&tx, &stream_name).await?.ok_or(Refusal::NoStream)?;
        let start = input.start_time.unwrap_or(0).max(retention::kept_from_ms(&record, tx.now()));
        let mut bounds = Bounds { after: Position::before(start), before: end };
        match given {
            Some((Way::Forward, position)) => bounds.after = bounds.after.max(position),
            Some((Way::Backward, position)) => bounds.before = bounds.before.min(position),
            None => {}
        }
        let streams = Streams::One(stream.number);
        let mut page = Page::new(limit);
        let mut visit = |event| page.take(event);
        match way {
            Way::Forward => store::forward(&tx, &group, &streams, bounds, &mut visit).await?,
            Way::Backward => store::backward(&tx, &group, &streams, bounds, &mut visit).await?,
        };
        Ok::<_, Refusal>(page.events)
    });
    let mut events = events.await?;
    if way == Way::Backward {
        events.reverse();
    }
    // At an end the token is the one that was given, which is how clients know it.
    let start = Position::before(input.start_time.unwrap_or(0));
    // The other token of an empty page leads back to the event at which the pages ended.
    let (after, before) = match given {
        Some((Way::Forward, position)) => (position, position.next()),
        Some((Way::Backward, position)) => (position.previous(), position),
        None => (start, start),
    };
    let last = events.last().map_or(after, |event| event.position);
    let first = events.first().map_or(before, |event| event.position);
    let shown = |event: StoredEvent| OutputLogEvent {
        timestamp: Some(event.position.time_ms),
        message: Some(event.message),
        ingestion_time: Some(event.ingested_at_ms),
    };
    Ok(GetLogEventsResponse {
        next_forward_token: Some(token(Way::Forward, last)),
        next_backward_token: Some(token(Way::Backward, first)),
        events: Some(events.into_iter().map(shown).collect()),
    })
}

/// Takes events until the page is full. An event that is larger than a page is a page of its own.
struct Page {
    events: Vec<StoredEvent>,
    limit: usize,
    bytes: usize,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { events: Vec::new(), limit, bytes: 0 }
    }

    fn take(&mut self, event: StoredEvent) -> ControlFlow<()> {
        self.bytes += event.message.len() + EVENT_OVERHEAD_BYTES;
        if self.events.len() == self.limit || (self.bytes > PAGE_BYTES_MAX && !self.events.is_empty()) {
            return ControlFlow::Break(());
        }
        self.events.push(event);
        ControlFlow::Continue(())
    }
}
