//! What a queue's lane counts: the next position, how many messages are in which phase, and when it needs upkeep.
//!
//! One small record for each queue, read once and written once by each step of its lane, so that its counts cost the
//! same whatever its length.

use apus_store::{Keyspace, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

/// How many messages are in which phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Counts {
    #[n(0)]
    pub(crate) ready: u64,
    #[n(1)]
    pub(crate) in_flight: u64,
    #[n(2)]
    pub(crate) delayed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct TailRecord {
    /// The position of the next message.
    #[n(0)]
    pub(crate) next: u64,
    #[n(1)]
    pub(crate) counts: Counts,
    /// When the schedule has it: there is one entry for each queue at most.
    #[n(2)]
    pub(crate) upkeep_at_micros: Option<i64>,
}

/// The record within one transaction.
#[derive(Debug)]
pub(crate) struct Tail {
    table: Table<TailRecord>,
    before: TailRecord,
    pub(crate) now: TailRecord,
}

impl Tail {
    pub(crate) async fn load(tx: &Tx, own: &Keyspace) -> Result<Self, StoreError> {
        let table = Table::new(own.sub(("tail",)));
        let before: TailRecord = table.get(tx, ()).await?.unwrap_or_default();
        Ok(Self { table, now: before.clone(), before })
    }

    pub(crate) fn upkeep_at(&self) -> Option<Timestamp> {
        self.now.upkeep_at_micros.map(Timestamp::from_micros)
    }

    pub(crate) fn save(&self, tx: &Tx) {
        if self.now != self.before {
            self.table.put(tx, (), &self.now);
        }
    }
}
