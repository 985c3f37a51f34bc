//! An index: from what is looked for to the keys that have it.

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::keyspace::Keyspace;
use crate::range::{Direction, Range};
use crate::tuple::{FromTuple, Tuple, unpack};
use crate::tx::Tx;

/// Entries `(indexed, primary)` in a part of the key space, in that order.
#[derive(Clone, Debug)]
pub struct Index {
    space: Keyspace,
}

impl Index {
    /// The index that fills `space`. Nothing else may be stored there.
    pub fn new(space: Keyspace) -> Self {
        Self { space }
    }

    /// Notes that `primary` has `indexed`.
    pub fn put(&self, tx: &Tx, indexed: impl Tuple, primary: impl Tuple) {
        tx.put(&self.entry(indexed, primary), Bytes::new());
    }

    /// Takes that note back. `indexed` and `primary` must be as they were put.
    pub fn delete(&self, tx: &Tx, indexed: impl Tuple, primary: impl Tuple) {
        tx.delete(&self.entry(indexed, primary));
    }

    /// Up to `limit` primary keys that have `indexed`, in order, after `after` if it is given.
    pub async fn find<P: FromTuple>(
        &self,
        tx: &Tx,
        indexed: impl Tuple,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, P)>, StoreError> {
        let prefix = self.space.key(indexed);
        let range = Range::prefix(&prefix);
        let range = if let Some(after) = after { range.after(after) } else { range };
        let rows = tx.range(&range, limit, Direction::Forward).await?;
        let primary = |(key, _): (Key, Bytes)| {
            let primary = unpack(&key.as_ref()[prefix.as_ref().len()..])?;
            Ok((key, primary))
        };
        rows.into_iter().map(primary).collect()
    }

    fn entry(&self, indexed: impl Tuple, primary: impl Tuple) -> Key {
        self.space.key(indexed).with(primary)
    }
}
