//! The message groups of a FIFO queue: their messages in order, and whether one of them may be received.
//!
//! ```text
//! … "group" group          → GroupRecord
//! … "line"  group position → one byte: whether the message is still delayed
//! ```
//!
//! Invariant: a group is among the queue's ready ones if and only if it has a message, none of its messages is in
//! flight, and its first is not delayed.

use apus_store::{Direction, Keyspace, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::messages::Phase;

const VISIBLE: u8 = 0;
pub(super) const DELAYED: u8 = 1;

#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct GroupRecord {
    /// How many of its messages are in flight: while there is one, nobody receives another.
    #[n(0)]
    pub(crate) in_flight: u32,
    /// How many messages it has, those in flight included.
    #[n(1)]
    pub(crate) messages: u64,
    /// Since when it is ready, in microseconds.
    #[n(2)]
    ready_since: Option<i64>,
    /// The first message, while it is ready.
    #[n(3)]
    first: u64,
}

impl GroupRecord {
    /// Where it stands among the ready ones.
    pub(crate) fn ready_key(&self) -> Option<(Timestamp, u64)> {
        self.ready_since.map(|since| (Timestamp::from_micros(since), self.first))
    }
}

#[derive(Debug)]
pub(crate) struct Groups {
    pub(super) records: Table<GroupRecord>,
    pub(super) line: Keyspace,
}

impl Groups {
    pub(crate) fn new(space: &Keyspace) -> Self {
        Self { records: Table::new(space.sub(("group",))), line: space.sub(("line",)) }
    }

    pub(crate) async fn get(&self, tx: &Tx, group: &str) -> Result<GroupRecord, StoreError> {
        Ok(self.records.get(tx, (group,)).await?.unwrap_or_default())
    }

    /// A message is sent.
    pub(crate) fn join(&self, tx: &Tx, group: &str, record: &mut GroupRecord, position: u64, delayed: bool) {
        record.messages += 1;
        self.put(tx, group, position, delayed);
    }

    /// A message's delay or flight is over.
    pub(crate) fn come_back(
        &self,
        tx: &Tx,
        group: &str,
        record: &mut GroupRecord,
        position: u64,
        from: Phase,
    ) {
        if from == Phase::InFlight {
            record.in_flight = record.in_flight.saturating_sub(1);
        } else {
            self.put(tx, group, position, false);
        }
    }

    /// A message is gone.
    pub(crate) fn leave(&self, tx: &Tx, group: &str, record: &mut GroupRecord, position: u64, from: Phase) {
        record.messages = record.messages.saturating_sub(1);
        if from == Phase::InFlight {
            record.in_flight = record.in_flight.saturating_sub(1);
        }
        tx.delete(&self.line.key((group, position)));
    }

    /// Writes the record as the invariant wants it; a group that has become ready is so since now.
    pub(crate) async fn settle(
        &self,
        tx: &Tx,
        group: &str,
        record: &mut GroupRecord,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if record.messages == 0 {
            record.ready_since = None;
            self.records.delete(tx, (group,));
            return Ok(());
        }
        let first = if record.in_flight == 0 { self.in_line(tx, group, 1).await?.pop() } else { None };
        match first {
            Some(first) => {
                record.first = first;
                record.ready_since = Some(record.ready_since.unwrap_or(now.as_micros()));
            }
            None => record.ready_since = None,
        }
        self.records.put(tx, (group,), record);
        Ok(())
    }

    /// The first so many messages of a group, up to the first that is delayed.
    pub(crate) async fn in_line(&self, tx: &Tx, group: &str, limit: usize) -> Result<Vec<u64>, StoreError> {
        let rows = tx.range(&self.line.range((group,)), limit, Direction::Forward).await?;
        let visible = rows.into_iter().take_while(|(_, value)| value.first() != Some(&DELAYED));
        visible.map(|(key, _)| Ok(self.line.unpack::<(String, u64)>(&key)?.1)).collect()
    }

    fn put(&self, tx: &Tx, group: &str, position: u64, delayed: bool) {
        let value = if delayed { DELAYED } else { VISIBLE };
        tx.put(&self.line.key((group, position)), vec![value]);
    }
}
