//! What a FIFO queue remembers for five minutes: which messages were sent, and what a receive was given.
//!
//! ```text
//! own "dedup"   scope deduplication-id → DedupRecord; the scope is a group, or empty for the whole queue
//! own "attempt" attempt-id             → AttemptRecord
//! own "forget"  when kind scope id     → nothing
//! ```

use std::time::Duration;

use apus_store::{DueCursor, DueIndex, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::{QueueRecord, own};
use crate::queue_id::QueueId;

/// How long a queue remembers.
pub(crate) const REMEMBERED: Duration = Duration::from_mins(5);

pub(super) const DEDUP: u64 = 0;
pub(super) const ATTEMPT: u64 = 1;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DedupRecord {
    #[n(0)]
    pub(crate) message_id: String,
    #[n(1)]
    pub(crate) position: u64,
    #[n(2)]
    pub(super) until_micros: i64,
}

/// What a receive was given.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct AttemptRecord {
    /// Positions and nonces.
    #[n(0)]
    pub(crate) messages: Vec<(u64, u64)>,
    #[n(1)]
    pub(super) until_micros: i64,
}

#[derive(Debug)]
pub(crate) struct Recall {
    pub(super) dedups: Table<DedupRecord>,
    pub(super) attempts: Table<AttemptRecord>,
    pub(super) forget: DueIndex,
}

impl Recall {
    pub(crate) fn of(id: &QueueId, queue: &QueueRecord) -> Self {
        let own = own(id, queue.number);
        Self {
            dedups: Table::new(own.sub(("dedup",))),
            attempts: Table::new(own.sub(("attempt",))),
            forget: DueIndex::new(own.sub(("forget",))),
        }
    }

    /// The message that was sent under that id less than five minutes ago.
    pub(crate) async fn sent(
        &self,
        tx: &Tx,
        scope: &str,
        id: &str,
    ) -> Result<Option<DedupRecord>, StoreError> {
        let found = self.dedups.get(tx, (scope, id)).await?;
        Ok(found.filter(|found| found.until_micros > tx.now().as_micros()))
    }

    /// Remembers a message; when that is to be forgotten.
    pub(crate) fn remember_sent(
        &self,
        tx: &Tx,
        scope: &str,
        id: &str,
        message_id: String,
        position: u64,
    ) -> Timestamp {
        let until = tx.now() + REMEMBERED;
        let record = DedupRecord { message_id, position, until_micros: until.as_micros() };
        self.dedups.put(tx, (scope, id), &record);
        self.forget.put(tx, until, (DEDUP, scope, id), Vec::new());
        until
    }

    /// What a receive under that id was given less than five minutes ago.
    pub(crate) async fn received(&self, tx: &Tx, attempt: &str) -> Result<Option<AttemptRecord>, StoreError> {
        let found = self.attempts.get(tx, (attempt,)).await?;
        Ok(found.filter(|found| found.until_micros > tx.now().as_micros()))
    }

    /// Remembers what a receive was given; when that is to be forgotten.
    pub(crate) fn remember_received(&self, tx: &Tx, attempt: &str, messages: Vec<(u64, u64)>) -> Timestamp {
        let until = tx.now() + REMEMBERED;
        self.attempts.put(tx, (attempt,), &AttemptRecord { messages, until_micros: until.as_micros() });
        self.forget.put(tx, until, (ATTEMPT, "", attempt), Vec::new());
        until
    }

    /// Forgets up to so much of what is past; when there is more to forget.
    pub(crate) async fn forget(&self, tx: &Tx, limit: usize) -> Result<Option<Timestamp>, StoreError> {
        let mut cursor = DueCursor::default();
        let now = tx.now();
        for item in self.forget.due(tx, now, limit, &mut cursor).await? {
            let (kind, scope, id) = self.forget.item::<(u64, String, String)>(&item)?;
            self.forget.remove(tx, &item);
            // What was remembered anew meanwhile has an entry of its own.
            if kind == DEDUP {
                if self.sent(tx, &scope, &id).await?.is_none() {
                    self.dedups.delete(tx, (scope, id));
                }
            } else if self.received(tx, &id).await?.is_none() {
                self.attempts.delete(tx, (id,));
            }
        }
        self.forget.next_due(tx, cursor).await
    }
}
