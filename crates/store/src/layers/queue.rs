//! A queue: what is pushed first is seen first, until it is removed.
//!
//! Pushing never conflicts. Who takes decides what "taken" means: the queue has one owner.

use bytes::Bytes;

use super::log::Log;
use crate::error::StoreError;
use crate::key::Key;
use crate::tx::{Position, Tx};

/// A first-in, first-out queue at a key.
#[derive(Clone, Debug)]
pub struct Queue {
    items: Log,
}

impl Queue {
    /// The queue at `key`. Nothing else may be stored beneath it.
    pub fn new(key: Key) -> Self {
        Self { items: Log::new(key) }
    }

    /// Puts an item at the end; its position is known after the commit.
    pub fn push(&self, tx: &Tx, item: impl Into<Bytes>) -> Position {
        self.items.append_at_commit(tx, item)
    }

    /// Up to `limit` items in order, from the first at or after `from` on. Pass one past the last position
    /// removed to spare a look at what is gone; 0 is always right.
    pub async fn peek(&self, tx: &Tx, from: u64, limit: usize) -> Result<Vec<(u64, Bytes)>, StoreError> {
        self.items.read(tx, from, limit).await
    }

    /// Removes the item at `position`.
    pub fn remove(&self, tx: &Tx, position: u64) {
        self.items.remove(tx, position);
    }
}
