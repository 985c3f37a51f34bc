//! What is to happen when: items by their time, taken once it has come.

use apus_time::Timestamp;
use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::keyspace::Keyspace;
use crate::range::{Direction, Range};
use crate::tuple::Tuple;
use crate::tx::Tx;

/// Items in a part of the key space, ordered by time and then by key.
#[derive(Clone, Debug)]
pub struct DueIndex {
    space: Keyspace,
}

/// An item of a [`DueIndex`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueItem {
    /// Where it lies; for [`DueIndex::remove`].
    pub key: Key,
    /// When it is due.
    pub due: Timestamp,
    /// What was put with it.
    pub value: Bytes,
}

/// Where a scan may begin: nothing before it is left. Kept by the index's owner, in memory; a fresh one is
/// always right, only slower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DueCursor {
    from: Option<Timestamp>,
}

impl DueCursor {
    /// Goes back so far that an item due at `due` is not missed: the owner calls it *before* it lets anyone put one.
    pub fn include(&mut self, due: Timestamp) {
        self.from = self.from.map(|from| from.min(due));
    }
}

impl DueIndex {
    /// The index that fills `space`. Nothing else may be stored there.
    pub fn new(space: Keyspace) -> Self {
        Self { space }
    }

    /// Puts an item; `key` tells items of one time apart.
    pub fn put(&self, tx: &Tx, due: Timestamp, key: impl Tuple, value: impl Into<Bytes>) {
        tx.put(&self.item_key(due, key), value);
    }

    /// Removes the item that was put with `due` and `key`.
    pub fn delete(&self, tx: &Tx, due: Timestamp, key: impl Tuple) {
        tx.delete(&self.item_key(due, key));
    }

    /// Removes an item that a scan has found.
    pub fn remove(&self, tx: &Tx, item: &DueItem) {
        tx.delete(&item.key);
    }

    /// Whether the item that was put with `due` and `key` is there.
    pub async fn contains(&self, tx: &Tx, due: Timestamp, key: impl Tuple) -> Result<bool, StoreError> {
        Ok(self.get(tx, due, key).await?.is_some())
    }

    /// What was put with `due` and `key`, if it is there.
    pub async fn get(&self, tx: &Tx, due: Timestamp, key: impl Tuple) -> Result<Option<Bytes>, StoreError> {
        tx.get(&self.item_key(due, key)).await
    }

    /// Up to `limit` items due at or before `now`, in order. The cursor moves to the first that was found.
    pub async fn due(
        &self,
        tx: &Tx,
        now: Timestamp,
        limit: usize,
        cursor: &mut DueCursor,
    ) -> Result<Vec<DueItem>, StoreError> {
        let items = self.scan(tx, &self.from(self.until(now), *cursor), limit).await?;
        cursor.from = Some(items.first().map_or(now, |item| item.due)).max(cursor.from);
        Ok(items)
    }

    /// Up to `limit` items due at or before `now`, in order, behind the one at `after`: the next page.
    pub async fn due_after(
        &self,
        tx: &Tx,
        now: Timestamp,
        limit: usize,
        after: Option<&Key>,
    ) -> Result<Vec<DueItem>, StoreError> {
        let range = self.until(now);
        self.scan(tx, &after.map_or(range.clone(), |after| range.after(after)), limit).await
    }

    fn until(&self, now: Timestamp) -> Range {
        let all = self.space.all();
        // The last instant that can be written has none after it.
        if now == Timestamp::MAX {
            return all;
        }
        all.before(&self.space.key((Timestamp::from_micros(now.as_micros() + 1),)))
    }

    /// When the next item is due, if there is any.
    pub async fn next_due(&self, tx: &Tx, cursor: DueCursor) -> Result<Option<Timestamp>, StoreError> {
        let items = self.scan(tx, &self.from(self.space.all(), cursor), 1).await?;
        Ok(items.first().map(|item| item.due))
    }

    /// Reads the key that was put with an item.
    pub fn item<T: crate::tuple::FromTuple>(&self, item: &DueItem) -> Result<T, StoreError> {
        let prefix = self.space.key((item.due,));
        Ok(crate::tuple::unpack(&item.key.as_ref()[prefix.as_ref().len()..])?)
    }

    fn from(&self, range: Range, cursor: DueCursor) -> Range {
        match cursor.from {
            Some(from) => range.from(&self.space.key((from,))),
            None => range,
        }
    }

    async fn scan(&self, tx: &Tx, range: &Range, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        let rows = tx.range(range, limit, Direction::Forward).await?;
        let prefix = self.space.prefix().as_ref().len();
        let item = |(key, value): (Key, Bytes)| {
            let due = crate::tuple::TupleReader::new(&key.as_ref()[prefix..]).read()?;
            Ok(DueItem { key, due, value })
        };
        rows.into_iter().map(item).collect()
    }

    fn item_key(&self, due: Timestamp, key: impl Tuple) -> Key {
        self.space.key((due,)).with(key)
    }
}
