//! A table: one kind of record by key, read in order and in pages.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::keyspace::Keyspace;
use crate::range::{Direction, Range};
use crate::record::{Record, decode, encode};
use crate::tuple::Tuple;
use crate::tx::Tx;

/// Records of one kind in a part of the key space.
pub struct Table<R> {
    space: Keyspace,
    _records: PhantomData<fn() -> R>,
}

impl<R: Record> Table<R> {
    /// The table that fills `space`. Nothing else may be stored there.
    pub fn new(space: Keyspace) -> Self {
        Self { space, _records: PhantomData }
    }

    /// Where the table lies, for decoding its keys.
    pub fn space(&self) -> &Keyspace {
        &self.space
    }

    /// The record at `key`.
    pub async fn get(&self, tx: &Tx, key: impl Tuple) -> Result<Option<R>, StoreError> {
        let key = self.space.key(key);
        tx.get(&key).await?.map(|bytes| decode(&key, &bytes)).transpose()
    }

    /// Whether there is a record at `key`.
    pub async fn contains(&self, tx: &Tx, key: impl Tuple) -> Result<bool, StoreError> {
        Ok(tx.get(&self.space.key(key)).await?.is_some())
    }

    /// Sets the record at `key`.
    pub fn put(&self, tx: &Tx, key: impl Tuple, record: &R) {
        tx.put(&self.space.key(key), encode(record));
    }

    /// Sets the record at `key` to one that was encoded before.
    pub fn put_encoded(&self, tx: &Tx, key: impl Tuple, record: Bytes) {
        tx.put(&self.space.key(key), record);
    }

    /// Deletes the record at `key`, if there is one.
    pub fn delete(&self, tx: &Tx, key: impl Tuple) {
        tx.delete(&self.space.key(key));
    }

    /// Every key that goes on with `tuple`: `()` for the whole table. Narrow it with [`Range::after`] for the
    /// next page.
    pub fn range(&self, tuple: impl Tuple) -> Range {
        self.space.range(tuple)
    }

    /// The first `limit` records of a range, in order.
    pub async fn list(&self, tx: &Tx, range: &Range, limit: usize) -> Result<Vec<(Key, R)>, StoreError> {
        let rows = tx.range(range, limit, Direction::Forward).await?;
        rows.into_iter().map(|(key, bytes)| decode(&key, &bytes).map(|record| (key, record))).collect()
    }
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self { space: self.space.clone(), _records: PhantomData }
    }
}

impl<R> fmt::Debug for Table<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.space).finish()
    }
}
