//! A log: entries at positions 0, 1, 2 … in the order of their commits.
//!
//! The entry at a position has the log's key and the position; the next position is a counter behind them.

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::range::{Direction, Range};
use crate::tuple::TupleReader;
use crate::tx::{Position, Tx};

/// Sorts behind every position, for booleans follow integers.
const TAIL: bool = false;

pub(crate) fn tail_key(log: &Key) -> Key {
    log.with((TAIL,))
}

pub(crate) fn entry_key(log: &Key, position: u64) -> Key {
    log.with((position,))
}

/// A log at a key.
#[derive(Clone, Debug)]
pub struct Log {
    key: Key,
}

impl Log {
    /// The log at `key`. Nothing else may be stored beneath it.
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// Appends an entry and returns its position; see [`Tx::append`].
    pub async fn append(&self, tx: &Tx, entry: impl Into<Bytes>) -> Result<u64, StoreError> {
        tx.append(&self.key, entry).await
    }

    /// Appends an entry without conflict; see [`Tx::append_at_commit`].
    pub fn append_at_commit(&self, tx: &Tx, entry: impl Into<Bytes>) -> Position {
        tx.append_at_commit(&self.key, entry)
    }

    /// Up to `limit` entries, from the first at or after `from` on.
    pub async fn read(&self, tx: &Tx, from: u64, limit: usize) -> Result<Vec<(u64, Bytes)>, StoreError> {
        let range = Range::between(&entry_key(&self.key, from), &tail_key(&self.key));
        let rows = tx.range(&range, limit, Direction::Forward).await?;
        rows.into_iter().map(|(key, value)| Ok((self.position(&key)?, value))).collect()
    }

    /// The position that the next entry will have.
    pub async fn tail(&self, tx: &Tx) -> Result<u64, StoreError> {
        tx.counter(&tail_key(&self.key)).await.map(|tail| tail as u64)
    }

    /// Deletes every entry before `position`; positions go on as if they were there.
    pub fn trim(&self, tx: &Tx, position: u64) {
        tx.delete_range(&Range::between(&entry_key(&self.key, 0), &entry_key(&self.key, position)));
    }

    /// Deletes the entry at `position`, leaving a gap.
    pub fn remove(&self, tx: &Tx, position: u64) {
        tx.delete(&entry_key(&self.key, position));
    }

    fn position(&self, key: &Key) -> Result<u64, StoreError> {
        let rest = &key.as_ref()[self.key.as_ref().len()..];
        Ok(TupleReader::new(rest).read()?)
    }
}
