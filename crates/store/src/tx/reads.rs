//! What a transaction has seen, so that its commit can tell whether it still holds.

use bytes::Bytes;

use crate::error::StoreError;
use crate::limits::TX_READS_MAX;
use crate::range::Range;

#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) keys: Vec<Bytes>,
    pub(crate) ranges: Vec<Range>,
}

impl Reads {
    pub(crate) fn key(&mut self, key: &Bytes) -> Result<(), StoreError> {
        if self.keys.last() != Some(key) {
            self.keys.push(key.clone());
        }
        self.check()
    }

    pub(crate) fn range(&mut self, range: Range) -> Result<(), StoreError> {
        if !range.is_empty() {
            self.ranges.push(range);
        }
        self.check()
    }

    fn check(&self) -> Result<(), StoreError> {
        StoreError::check_size("a transaction's reads", self.keys.len() + self.ranges.len(), TX_READS_MAX)
    }
}
