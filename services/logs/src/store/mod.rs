//! Every key, record and index of CloudWatch Logs; the layout stands in the README.

mod events;
mod scan;
mod schedule;

use std::collections::BTreeMap;

use apus_kernel::{AccountId, Region};
use apus_store::{Direction, Key, Keyspace, Range, StoreError, Table, Tx, decode, encode};
use minicbor::{Decode, Encode};

pub(crate) use events::{StoredEvent, append, delete_blocks, first_block, stream_blocks};
pub(crate) use scan::{Bounds, Streams, backward, event_at, forward};
pub(crate) use schedule::{Schedule, Task};

use crate::names::GroupId;

const SERVICE: &str = "logs";
/// The time in the index of streams that have no event.
const NEVER: i64 = -1;

/// A log group.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct GroupRecord {
    /// The group's own for ever: one made anew under the same name sees nothing of the old one.
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) created_at_ms: i64,
    #[n(2)]
    pub(crate) retention_days: Option<i32>,
    #[n(3)]
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// Nothing means `STANDARD`.
    #[n(4)]
    pub(crate) class: Option<String>,
    /// When the schedule looks after the group's retention; an entry for another time is an old one.
    #[n(5)]
    pub(crate) tended_at_micros: Option<i64>,
    #[n(6)]
    pub(crate) metric_filters: Option<BTreeMap<String, MetricFilterRecord>>,
    #[n(7)]
    pub(crate) subscriptions: Option<BTreeMap<String, SubscriptionRecord>>,
}

/// A metric filter's definition.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MetricFilterRecord {
    #[n(0)]
    pub(crate) pattern: String,
    #[n(1)]
    pub(crate) created_at_ms: i64,
    #[n(2)]
    pub(crate) metric_name: String,
    #[n(3)]
    pub(crate) namespace: String,
    #[n(4)]
    pub(crate) value: String,
    #[n(5)]
    pub(crate) default_value: Option<f64>,
    #[n(6)]
    pub(crate) dimensions: Option<BTreeMap<String, String>>,
    #[n(7)]
    pub(crate) unit: Option<String>,
}

/// A subscription to a group's events.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SubscriptionRecord {
    #[n(0)]
    pub(crate) pattern: String,
    #[n(1)]
    pub(crate) destination: String,
    #[n(2)]
    pub(crate) created_at_ms: i64,
    #[n(3)]
    pub(crate) distribution: Option<String>,
}

/// A log stream.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct StreamRecord {
    /// The stream's own within its group.
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) created_at_ms: i64,
    #[n(2)]
    pub(crate) first_event_ms: Option<i64>,
    #[n(3)]
    pub(crate) last_event_ms: Option<i64>,
    #[n(4)]
    pub(crate) last_ingested_ms: Option<i64>,
}

/// What a group's appends continue.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct TailRecord {
    /// The number of the last block.
    #[n(0)]
    pub(crate) blocks: u64,
    /// The number of the last stream.
    #[n(1)]
    pub(crate) streams: u64,
    /// Bytes of all messages that are kept, with what each event counts beside.
    #[n(2)]
    pub(crate) bytes: u64,
}

fn space(account: AccountId, region: &Region) -> Keyspace {
    Keyspace::new(account.as_str(), region.as_str(), SERVICE)
}

fn groups(account: AccountId, region: &Region) -> Table<GroupRecord> {
    Table::new(space(account, region).sub(("group",)))
}

/// The group, if there is one.
pub(crate) async fn group(tx: &Tx, id: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
    groups(id.account, &id.region).get(tx, (&id.name,)).await
}

/// Writes the group.
pub(crate) fn put_group(tx: &Tx, id: &GroupId, record: &GroupRecord) {
    groups(id.account, &id.region).put(tx, (&id.name,), record);
}

/// Takes the group's name away; what it holds is deleted by the schedule.
pub(crate) fn delete_group(tx: &Tx, id: &GroupId) {
    groups(id.account, &id.region).delete(tx, (&id.name,));
}

/// Up to `limit` groups whose names begin so, after that name, in order.
pub(crate) async fn list_groups(
    tx: &Tx,
    account: AccountId,
    region: &Region,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, GroupRecord)>, StoreError> {
    let table = groups(account, region);
    let range = names_with_prefix(table.space(), prefix);
    let range = after.map_or(range.clone(), |after| range.after(&table.space().key((after,))));
    let rows = table.list(tx, &range, limit).await?;
    let named = |(key, record)| Ok((table.space().unpack::<(String,)>(&key)?.0, record));
    rows.into_iter().map(named).collect()
}

/// Keys `(name,)` whose name begins with `prefix`. Names hold no character beyond the last of Unicode.
fn names_with_prefix(space: &Keyspace, prefix: &str) -> Range {
    if prefix.is_empty() {
        return space.all();
    }
    Range::between(&space.key((prefix,)), &space.key((format!("{prefix}{}", char::MAX),)))
}

/// What one group holds.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    space: Keyspace,
}

impl Group {
    /// The group of that number.
    pub(crate) fn new(account: AccountId, region: &Region, number: u64) -> Self {
        Self { space: space(account, region).sub(("data", number)) }
    }

    /// The group of that record.
    pub(crate) fn of(id: &GroupId, record: &GroupRecord) -> Self {
        Self::new(id.account, &id.region, record.number)
    }

    fn streams(&self) -> Table<StreamRecord> {
        Table::new(self.space.sub(("stream",)))
    }

    fn name_key(&self, number: u64) -> Key {
        self.space.key(("name", number))
    }

    fn recent(&self) -> Keyspace {
        self.space.sub(("recent",))
    }

    fn tail_key(&self) -> Key {
        self.space.key(("tail",))
    }

    pub(crate) async fn tail(&self, tx: &Tx) -> Result<TailRecord, StoreError> {
        let key = self.tail_key();
        Ok(tx.get(&key).await?.map(|bytes| decode(&key, &bytes)).transpose()?.unwrap_or_default())
    }

    pub(crate) fn put_tail(&self, tx: &Tx, tail: &TailRecord) {
        tx.put(&self.tail_key(), encode(tail));
    }

    /// The stream, if there is one.
    pub(crate) async fn stream(&self, tx: &Tx, name: &str) -> Result<Option<StreamRecord>, StoreError> {
        self.streams().get(tx, (name,)).await
    }

    /// A new stream; `tail` counts it.
    pub(crate) fn add_stream(&self, tx: &Tx, tail: &mut TailRecord, name: &str, now_ms: i64) -> StreamRecord {
        tail.streams += 1;
        let record = StreamRecord { number: tail.streams, created_at_ms: now_ms, ..StreamRecord::default() };
        tx.put(&self.name_key(record.number), name.as_bytes().to_vec());
        tx.put(&self.recent().key((NEVER, name)), Vec::new());
        self.streams().put(tx, (name,), &record);
        record
    }

    /// Writes a stream that had another last event before.
    pub(crate) fn put_stream(&self, tx: &Tx, name: &str, before: &StreamRecord, record: &StreamRecord) {
        let (old, new) = (before.last_event_ms.unwrap_or(NEVER), record.last_event_ms.unwrap_or(NEVER));
        if old != new {
            tx.delete(&self.recent().key((old, name)));
            tx.put(&self.recent().key((new, name)), Vec::new());
        }
        self.streams().put(tx, (name,), record);
    }

    /// Takes the stream's name away; its blocks are deleted by the schedule.
    pub(crate) fn delete_stream(&self, tx: &Tx, name: &str, record: &StreamRecord) {
        tx.delete(&self.recent().key((record.last_event_ms.unwrap_or(NEVER), name)));
        tx.delete(&self.name_key(record.number));
        self.streams().delete(tx, (name,));
    }

    /// The name of the stream of that number; nothing if it is deleted.
    pub(crate) async fn stream_name(&self, tx: &Tx, number: u64) -> Result<Option<String>, StoreError> {
        let name = tx.get(&self.name_key(number)).await?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Up to `limit` streams whose names begin so, by name, beyond that one.
    pub(crate) async fn streams_by_name(
        &self,
        tx: &Tx,
        prefix: &str,
        after: Option<&str>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<(String, StreamRecord)>, StoreError> {
        let table = self.streams();
        let space = table.space();
        let range =
            beyond(names_with_prefix(space, prefix), after.map(|after| space.key((after,))), descending);
        let mut streams = Vec::new();
        for (key, bytes) in tx.range(&range, limit, direction(descending)).await? {
            streams.push((space.unpack::<(String,)>(&key)?.0, decode(&key, &bytes)?));
        }
        Ok(streams)
    }

    /// Up to `limit` streams by the time of their last event, beyond that one.
    pub(crate) async fn streams_by_last_event(
        &self,
        tx: &Tx,
        after: Option<(i64, &str)>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<(String, StreamRecord)>, StoreError> {
        let space = self.recent();
        let range = beyond(space.all(), after.map(|after| space.key(after)), descending);
        let mut streams = Vec::new();
        for (key, _) in tx.range(&range, limit, direction(descending)).await? {
            let (_, name) = space.unpack::<(i64, String)>(&key)?;
            let record = self.stream(tx, &name).await?;
            streams.extend(record.map(|record| (name, record)));
        }
        Ok(streams)
    }

    /// Deletes up to `limit` rows of what is left of a group; whether that was all.
    pub(crate) async fn clear_some(&self, tx: &Tx, limit: usize) -> Result<bool, StoreError> {
        let rows = tx.range_snapshot(&self.space.all(), limit, Direction::Forward).await?;
        for (key, _) in &rows {
            tx.delete(key);
        }
        Ok(rows.len() < limit)
    }
}

fn direction(descending: bool) -> Direction {
    if descending { Direction::Backward } else { Direction::Forward }
}

fn beyond(range: Range, key: Option<Key>, descending: bool) -> Range {
    match key {
        None => range,
        Some(key) if descending => range.before(&key),
        Some(key) => range.after(&key),
    }
}
