//! What was written lately, so that a commit can tell whether what it had read has changed since.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::limits::RECENT_KEYS_MAX;
use crate::tx::Reads;

/// The last version that wrote each key, for all versions above `floor`.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    floor: u64,
    last_written: BTreeMap<Bytes, u64>,
    by_version: VecDeque<(u64, Vec<Bytes>)>,
}

impl Recent {
    pub(crate) fn new(version: u64) -> Self {
        Self { floor: version, ..Self::default() }
    }

    /// Whether anything read at version `at` was written later, as far as is remembered.
    pub(crate) fn conflicts(&self, reads: &Reads, at: u64) -> bool {
        if reads.keys.is_empty() && reads.ranges.is_empty() {
            return false;
        }
        let key_changed = |key: &Bytes| self.last_written.get(key).is_some_and(|&written| written > at);
        let range_changed = |range: &crate::range::Range| {
            self.last_written.range::<[u8], _>(range.bounds()).any(|(_, &written)| written > at)
        };
        at < self.floor || reads.keys.iter().any(key_changed) || reads.ranges.iter().any(range_changed)
    }

    /// Notes that `version` wrote `keys`. Versions never decrease.
    pub(crate) fn note(&mut self, version: u64, keys: impl Iterator<Item = Bytes>) {
        if self.by_version.back().is_none_or(|(last, _)| *last != version) {
            self.by_version.push_back((version, Vec::new()));
        }
        let Some((_, noted)) = self.by_version.back_mut() else { return };
        for key in keys {
            self.last_written.insert(key.clone(), version);
            noted.push(key);
        }
    }

    /// The keys that the latest version wrote.
    pub(crate) fn latest(&self) -> &[Bytes] {
        self.by_version.back().map_or(&[], |(_, keys)| keys)
    }

    /// Forgets what no snapshot at or after `oldest` can ask for, and more if there is too much.
    pub(crate) fn forget_up_to(&mut self, oldest: u64) {
        while let Some((version, _)) = self.by_version.front() {
            if *version > oldest && self.last_written.len() <= RECENT_KEYS_MAX {
                break;
            }
            let Some((version, keys)) = self.by_version.pop_front() else { break };
            self.floor = self.floor.max(version);
            for key in keys {
                if self.last_written.get(&key) == Some(&version) {
                    self.last_written.remove(&key);
                }
            }
        }
    }
}
