//! Reading events in their order, of one stream or of many, forward or backward.
//!
//! Blocks overlap in time, so events of several are merged: an event is told once no block that is still to come can
//! hold one before it. What waits is what lies within a block's span.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use apus_store::{Direction, StoreError, Tx};

use super::Group;
use super::events::{BLOCK_SPAN_MS, Block, BlockRecord, StoredEvent, in_time, read_block};
use crate::position::Position;

/// Blocks that are read at once.
const BLOCKS_AT_ONCE: usize = 64;

/// Which streams are read.
#[derive(Clone, Debug)]
pub(crate) enum Streams {
    All,
    One(u64),
    Some(BTreeSet<u64>),
}

/// Which events are read: those strictly between two positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) after: Position,
    pub(crate) before: Position,
}

/// How far a reader came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Bytes of the blocks that were read.
    pub(crate) bytes: u64,
    /// The reader was stopped before the end.
    pub(crate) stopped: bool,
}

type Visit<'a> = &'a mut (dyn FnMut(StoredEvent) -> ControlFlow<()> + Send);

/// Tells events in their order, until all are told or the visitor has enough.
pub(crate) async fn forward(
    tx: &Tx,
    group: &Group,
    streams: &Streams,
    bounds: Bounds,
    visit: Visit<'_>,
) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    let mut waiting = BTreeMap::new();
    let mut blocks = Blocks::new(group, streams, bounds, Direction::Forward);
    while let Some(page) = blocks.next(tx).await? {
        for block in page {
            // Blocks come by their first event: none to come holds an event before this one's first.
            while let Some(entry) = waiting.first_entry() {
                let position: &Position = entry.key();
                if position.time_ms >= block.first_ms {
                    break;
                }
                if visit(entry.remove()).is_break() {
                    return Ok(Seen { stopped: true, ..seen });
                }
            }
            seen.bytes += block.record.bytes();
            waiting.extend(events_of(block, bounds));
        }
    }
    while let Some((_, event)) = waiting.pop_first() {
        if visit(event).is_break() {
            return Ok(Seen { stopped: true, ..seen });
        }
    }
    Ok(seen)
}

/// As [`forward`], the latest first.
pub(crate) async fn backward(
    tx: &Tx,
    group: &Group,
    streams: &Streams,
    bounds: Bounds,
    visit: Visit<'_>,
) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    let mut waiting = BTreeMap::new();
    let mut blocks = Blocks::new(group, streams, bounds, Direction::Backward);
    while let Some(page) = blocks.next(tx).await? {
        for block in page {
            // No block to come begins later than this one, so none holds an event beyond this one's span.
            while let Some(entry) = waiting.last_entry() {
                let position: &Position = entry.key();
                if position.time_ms <= block.first_ms.saturating_add(BLOCK_SPAN_MS) {
                    break;
                }
                if visit(entry.remove()).is_break() {
                    return Ok(Seen { stopped: true, ..seen });
                }
            }
            seen.bytes += block.record.bytes();
            waiting.extend(events_of(block, bounds));
        }
    }
    while let Some((_, event)) = waiting.pop_last() {
        if visit(event).is_break() {
            return Ok(Seen { stopped: true, ..seen });
        }
    }
    Ok(seen)
}

/// The event at a position; nothing if it is gone.
pub(crate) async fn event_at(
    tx: &Tx,
    group: &Group,
    position: Position,
) -> Result<Option<StoredEvent>, StoreError> {
    let space = group.blocks();
    let range = in_time(&space, position.time_ms, position.time_ms);
    let bounds = Bounds { after: Position::default(), before: Position::after(i64::MAX) };
    for (key, bytes) in tx.range(&range, usize::MAX, Direction::Forward).await? {
        let block = read_block(&space, &key, &bytes)?;
        if block.number == position.block {
            return Ok(events_of(block, bounds).find(|(own, _)| *own == position).map(|(_, event)| event));
        }
    }
    Ok(None)
}

fn events_of(block: Block, bounds: Bounds) -> impl Iterator<Item = (Position, StoredEvent)> {
    let Block { number, record: BlockRecord { stream, ingested_at_ms, events }, .. } = block;
    events.into_iter().enumerate().filter_map(move |(at, event)| {
        let position = Position { time_ms: event.0, block: number, index: at as u32 };
        let within = bounds.after < position && position < bounds.before;
        within.then_some((position, StoredEvent { position, stream, ingested_at_ms, message: event.1 }))
    })
}

/// Blocks in order, a page at a time.
struct Blocks<'a> {
    group: &'a Group,
    streams: &'a Streams,
    direction: Direction,
    rest: apus_store::Range,
    ended: bool,
}

impl<'a> Blocks<'a> {
    fn new(group: &'a Group, streams: &'a Streams, bounds: Bounds, direction: Direction) -> Self {
        let space = match streams {
            Streams::One(stream) => group.places(*stream),
            _ => group.blocks(),
        };
        let rest = in_time(&space, bounds.after.time_ms, bounds.before.time_ms);
        Self { group, streams, direction, rest, ended: bounds.after >= bounds.before }
    }

    async fn next(&mut self, tx: &Tx) -> Result<Option<Vec<Block>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        // A long scan lets others work.
        apus_env::yield_now().await;
        // A reader holds nobody up: what is appended meanwhile is seen next time.
        let rows = tx.range_snapshot(&self.rest, BLOCKS_AT_ONCE, self.direction).await?;
        self.ended = rows.len() < BLOCKS_AT_ONCE;
        if let Some((last, _)) = rows.last() {
            self.rest = match self.direction {
                Direction::Forward => self.rest.clone().after(last),
                Direction::Backward => self.rest.clone().before(last),
            };
        }
        let space = self.group.blocks();
        let mut blocks = Vec::with_capacity(rows.len());
        for (key, bytes) in rows {
            match self.streams {
                Streams::One(stream) => {
                    let place = self.group.places(*stream).unpack::<(i64, u64)>(&key)?;
                    let key = space.key(place);
                    if let Some(bytes) = tx.get_snapshot(&key).await? {
                        blocks.push(read_block(&space, &key, &bytes)?);
                    }
                }
                Streams::All => blocks.push(read_block(&space, &key, &bytes)?),
                Streams::Some(streams) => {
                    let block = read_block(&space, &key, &bytes)?;
                    if streams.contains(&block.record.stream) {
                        blocks.push(block);
                    }
                }
            }
        }
        Ok(Some(blocks))
    }
}
