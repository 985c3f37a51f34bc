//! What the store counts about itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

use crate::state::Change;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    commits: AtomicU64,
    conflicts: AtomicU64,
    batches: AtomicU64,
    bytes_written: AtomicU64,
}

/// Counts since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreMetrics {
    /// Transactions committed with changes.
    pub commits: u64,
    /// Attempts refused because what they had read had changed.
    pub conflicts: u64,
    /// Batches made durable; each is one sync. `commits / batches` is how well grouping works.
    pub batches: u64,
    /// Bytes of keys and values committed.
    pub bytes_written: u64,
}

impl Metrics {
    pub(crate) fn committed(&self, commits: usize, changes: &[Change]) {
        let bytes =
            changes.iter().map(|change| change.key.len() + change.value.as_ref().map_or(0, Bytes::len));
        self.commits.fetch_add(commits as u64, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.bytes_written.fetch_add(bytes.sum::<usize>() as u64, Relaxed);
    }

    pub(crate) fn conflicted(&self, attempts: usize) {
        self.conflicts.fetch_add(attempts as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> StoreMetrics {
        StoreMetrics {
            commits: self.commits.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            batches: self.batches.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
        }
    }
}
