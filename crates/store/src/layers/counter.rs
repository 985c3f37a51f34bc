//! A counter that many transactions change at once without conflict.

use crate::error::StoreError;
use crate::key::Key;
use crate::tx::Tx;

/// A counter at a key: 64 bits with a sign, saturating.
#[derive(Clone, Debug)]
pub struct Counter {
    key: Key,
}

impl Counter {
    /// The counter at `key`.
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// The value; 0 if it was never changed. A transaction that reads conflicts with those that change.
    pub async fn get(&self, tx: &Tx) -> Result<i64, StoreError> {
        tx.counter(&self.key).await
    }

    /// Adds, without reading.
    pub fn add(&self, tx: &Tx, more: i64) {
        tx.add(&self.key, more);
    }

    /// Lowers to `offer` if higher or never set.
    pub fn min(&self, tx: &Tx, offer: i64) {
        tx.min(&self.key, offer);
    }

    /// Raises to `offer` if lower or never set.
    pub fn max(&self, tx: &Tx, offer: i64) {
        tx.max(&self.key, offer);
    }
}
