//! `FilterLogEvents`: the events of a group that a pattern means, of all its streams in the order of their times.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{FilterLogEvents, FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use apus_schema::ServiceError;
use apus_store::Tx;

use crate::batch::EVENT_OVERHEAD_BYTES;
use crate::errors::{Refusal, invalid_token, not_supported};
use crate::names::{GroupId, identified_resource};
use crate::pattern::Pattern;
use crate::position::Position;
use crate::store::{self, Bounds, Group, StoredEvent, Streams};
use crate::{Logs, retention};

/// The most events of a page.
const PAGE_MAX: usize = 10_000;
/// The most bytes of a page, counted as those of a batch are.
const PAGE_BYTES_MAX: usize = 1_048_576;
/// The most bytes that one page looks at: then it ends, found or not.
const LOOKED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most streams that a prefix may mean.
const STREAMS_MAX: usize = 10_000;

pub(crate) const ACCESS: Access<FilterLogEvents> =
    Access::new("logs:FilterLogEvents", |input: &FilterLogEventsRequest, caller| {
        let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
        identified_resource(caller, name, identifier, "")
    });

pub(crate) async fn filter_log_events(
    logs: Arc<Logs>,
    context: Context,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, ServiceError> {
    if input.unmask == Some(true) {
        return Err(not_supported("unmask").into());
    }
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        let message = "Only one of logStreamNames and logStreamNamePrefix may be specified.";
        return Err(Refusal::parameter(message).into());
    }
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let id = GroupId::either(&context.caller, name, identifier)?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|error| Refusal::parameter(error.to_string()))?;
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let given = input.next_token.as_deref().map(|text| Position::parse(text).ok_or_else(invalid_token));
    let given = given.transpose()?;
    let from_head = input.start_from_head != Some(false);
    let (names, prefix) = (input.log_stream_names, input.log_stream_name_prefix);
    let read = logs.store.read(|tx| async move {
        let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
        let group = Group::of(&id, &record);
        let streams = streams(&tx, &group, names, prefix).await?;
        let start = input.start_time.unwrap_or(0).max(retention::kept_from_ms(&record, tx.now()));
        // Unlike `GetLogEvents`, the last moment is within.
        let end = input.end_time.map_or(Position::after(i64::MAX), Position::after);
        let mut bounds = Bounds { after: Position::before(start), before: end };
        match given {
            Some(position) if from_head => bounds.after = bounds.after.max(position),
            Some(position) => bounds.before = bounds.before.min(position),
            None => {}
        }
        let mut page = Page { pattern, limit, events: Vec::new(), bytes: 0, looked: 0, last: None };
        let mut visit = |event| page.look(event);
        let seen = if from_head {
            store::forward(&tx, &group, &streams, bounds, &mut visit).await?
        } else {
            store::backward(&tx, &group, &streams, bounds, &mut visit).await?
        };
        let mut names = BTreeMap::new();
        for event in &page.events {
            if let Entry::Vacant(unknown) = names.entry(event.stream) {
                unknown.insert(group.stream_name(&tx, event.stream).await?);
            }
        }
        let next = page.last.filter(|_| seen.stopped);
        Ok::<_, Refusal>((page.events, names, next))
    });
    let (events, names, next) = read.await?;
    let shown = |event: StoredEvent| {
        // A stream that is gone takes its events with it, deleted or not.
        let log_stream_name = names.get(&event.stream).cloned().flatten()?;
        Some(FilteredLogEvent {
            log_stream_name: Some(log_stream_name),
            timestamp: Some(event.position.time_ms),
            message: Some(event.message),
            ingestion_time: Some(event.ingested_at_ms),
            event_id: Some(event.position.id()),
        })
    };
    Ok(FilterLogEventsResponse {
        events: Some(events.into_iter().filter_map(shown).collect()),
        // AWS has told none since 2020.
        searched_log_streams: Some(Vec::new()),
        next_token: next.map(|position| position.id()),
    })
}

/// The streams that are meant.
async fn streams(
    tx: &Tx,
    group: &Group,
    names: Option<Vec<String>>,
    prefix: Option<String>,
) -> Result<Streams, Refusal> {
    let mut numbers = BTreeSet::new();
    match (names, prefix) {
        (Some(names), _) => {
            for name in names {
                numbers.insert(group.stream(tx, &name).await?.ok_or(Refusal::NoStream)?.number);
            }
        }
        (None, Some(prefix)) => {
            let found = group.streams_by_name(tx, &prefix, None, false, STREAMS_MAX).await?;
            numbers.extend(found.into_iter().map(|(_, stream)| stream.number));
        }
        (None, None) => return Ok(Streams::All),
    }
    Ok(match numbers.first() {
        Some(only) if numbers.len() == 1 => Streams::One(*only),
        _ => Streams::Some(numbers),
    })
}

/// Looks at events until the page is full, or has looked at enough.
struct Page {
    pattern: Pattern,
    limit: usize,
    events: Vec<StoredEvent>,
    bytes: usize,
    looked: usize,
    /// The last event that was looked at: where the next page goes on.
    last: Option<Position>,
}

impl Page {
    fn look(&mut self, event: StoredEvent) -> ControlFlow<()> {
        let length = event.message.len() + EVENT_OVERHEAD_BYTES;
        if self.looked > LOOKED_BYTES_MAX {
            return ControlFlow::Break(());
        }
        let matches = self.pattern.matches(&event.message);
        let full = self.events.len() == self.limit
            || (self.bytes + length > PAGE_BYTES_MAX && !self.events.is_empty());
        if matches && full {
            return ControlFlow::Break(());
        }
        self.looked += length;
        self.last = Some(event.position);
        if matches {
            self.bytes += length;
            self.events.push(event);
        }
        ControlFlow::Continue(())
    }
}
