//! Events in blocks: neighbours of one stream and batch in one row, so that an append costs few rows and a time is
//! a range of keys.
//!
//! A block's events lie within [`BLOCK_SPAN_MS`] of its first. Whoever looks for a time begins so much earlier.

use apus_store::{Direction, Key, Keyspace, Range, StoreError, Tx, decode, encode};
use minicbor::{Decode, Encode};

use super::{Group, StreamRecord, TailRecord};
use crate::batch::{EVENT_OVERHEAD_BYTES, Given};
use crate::position::Position;

/// The events of a block lie within so much of the first.
pub(crate) const BLOCK_SPAN_MS: i64 = 10_000;
/// A block with so many events takes no more.
const BLOCK_EVENTS_MAX: usize = 500;
/// A block with so many bytes of messages takes no more.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Neighbouring events of one stream.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BlockRecord {
    #[n(0)]
    pub(crate) stream: u64,
    #[n(1)]
    pub(crate) ingested_at_ms: i64,
    #[n(2)]
    pub(crate) events: Vec<EventRecord>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct EventRecord(#[n(0)] pub(crate) i64, #[n(1)] pub(crate) String);

impl BlockRecord {
    pub(crate) fn bytes(&self) -> u64 {
        self.events.iter().map(|event| (event.1.len() + EVENT_OVERHEAD_BYTES) as u64).sum()
    }

    fn last_ms(&self) -> i64 {
        self.events.last().map_or(0, |event| event.0)
    }
}

/// A block with its place.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) first_ms: i64,
    pub(crate) number: u64,
    pub(crate) record: BlockRecord,
}

/// An event, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) position: Position,
    pub(crate) stream: u64,
    pub(crate) ingested_at_ms: i64,
    pub(crate) message: String,
}

impl Group {
    /// All blocks, by time and number.
    pub(super) fn blocks(&self) -> Keyspace {
        self.space.sub(("block",))
    }

    /// Where a stream's blocks are, by time and number.
    pub(super) fn places(&self, stream: u64) -> Keyspace {
        self.space.sub(("place", stream))
    }
}

/// Appends events of one stream in their order, and says where each stands.
pub(crate) fn append(
    tx: &Tx,
    group: &Group,
    tail: &mut TailRecord,
    stream: &mut StreamRecord,
    events: &[Given],
    now_ms: i64,
) -> Vec<Position> {
    let mut positions = Vec::with_capacity(events.len());
    let mut rest = events;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = |(at, event): &(usize, &Given)| {
            let fits = *at < BLOCK_EVENTS_MAX
                && (bytes < BLOCK_BYTES_MAX)
                && event.time_ms - first.time_ms <= BLOCK_SPAN_MS;
            bytes += event.message.len() + EVENT_OVERHEAD_BYTES;
            fits
        };
        let count = rest.iter().enumerate().take_while(fits).count();
        let (own, others) = rest.split_at(count);
        rest = others;
        tail.blocks += 1;
        let record = BlockRecord {
            stream: stream.number,
            ingested_at_ms: now_ms,
            events: own.iter().map(|event| EventRecord(event.time_ms, event.message.clone())).collect(),
        };
        tail.bytes += record.bytes();
        let block = tail.blocks;
        let place = |(index, event): (u32, &Given)| Position { time_ms: event.time_ms, block, index };
        positions.extend((0..).zip(own).map(place));
        tx.put(&group.blocks().key((first.time_ms, tail.blocks)), encode(&record));
        tx.put(&group.places(stream.number).key((first.time_ms, tail.blocks)), Vec::new());
    }
    if let (Some(first), Some(last)) = (events.first(), events.last()) {
        let earliest = stream.first_event_ms.map_or(first.time_ms, |own| own.min(first.time_ms));
        stream.first_event_ms = Some(earliest);
        stream.last_event_ms = stream.last_event_ms.max(Some(last.time_ms));
        stream.last_ingested_ms = Some(now_ms);
    }
    positions
}

/// The earliest block: when its last event was.
pub(crate) async fn first_block(tx: &Tx, group: &Group) -> Result<Option<i64>, StoreError> {
    let space = group.blocks();
    let rows = tx.range_snapshot(&space.all(), 1, Direction::Forward).await?;
    rows.first().map(|(key, bytes)| Ok(decode::<BlockRecord>(key, bytes)?.last_ms())).transpose()
}

/// Deletes up to `limit` blocks all of whose events are earlier than that; whether there may be more. Blocks are in
/// the order of their first events, so what is deleted is the beginning of a range.
pub(crate) async fn delete_blocks(
    tx: &Tx,
    group: &Group,
    before_ms: i64,
    limit: usize,
) -> Result<bool, StoreError> {
    let space = group.blocks();
    let range = space.all().before(&space.key((before_ms,)));
    let rows = tx.range_snapshot(&range, limit, Direction::Forward).await?;
    let (mut deleted, mut bytes) = (0, 0);
    for (key, value) in &rows {
        let record = decode::<BlockRecord>(key, value)?;
        if record.last_ms() >= before_ms {
            continue;
        }
        let (first_ms, number) = space.unpack::<(i64, u64)>(key)?;
        tx.delete(key);
        tx.delete(&group.places(record.stream).key((first_ms, number)));
        deleted += 1;
        bytes += record.bytes();
    }
    if deleted > 0 {
        let mut tail = group.tail(tx).await?;
        tail.bytes = tail.bytes.saturating_sub(bytes);
        group.put_tail(tx, &tail);
    }
    Ok(rows.len() == limit && deleted > 0)
}

/// Deletes up to `limit` blocks of a stream that is gone; whether that was all.
pub(crate) async fn stream_blocks(
    tx: &Tx,
    group: &Group,
    stream: u64,
    limit: usize,
) -> Result<bool, StoreError> {
    let (places, blocks) = (group.places(stream), group.blocks());
    let rows = tx.range_snapshot(&places.all(), limit, Direction::Forward).await?;
    let mut bytes = 0;
    for (place, _) in &rows {
        let key = blocks.key(places.unpack::<(i64, u64)>(place)?);
        if let Some(value) = tx.get(&key).await? {
            bytes += decode::<BlockRecord>(&key, &value)?.bytes();
        }
        tx.delete(&key);
        tx.delete(place);
    }
    if bytes > 0 {
        let mut tail = group.tail(tx).await?;
        tail.bytes = tail.bytes.saturating_sub(bytes);
        group.put_tail(tx, &tail);
    }
    Ok(rows.len() < limit)
}

/// Reads a row of the blocks.
pub(super) fn read_block(space: &Keyspace, key: &Key, bytes: &[u8]) -> Result<Block, StoreError> {
    let (first_ms, number) = space.unpack::<(i64, u64)>(key)?;
    Ok(Block { first_ms, number, record: decode(key, bytes)? })
}

/// The part of a range of keys `(time, number)` whose blocks may hold events from `from_ms` up to and with `to_ms`.
pub(super) fn in_time(space: &Keyspace, from_ms: i64, to_ms: i64) -> Range {
    let range = space.all().from(&space.key((from_ms.saturating_sub(BLOCK_SPAN_MS),)));
    range.before(&space.key((to_ms.saturating_add(1),)))
}
