//! A transaction: reads at one version, changes held back until the commit.
//!
//! It knows nothing of engines: reading goes through a [`State`], committing through the store.

mod range;
mod reads;
mod writes;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use apus_time::Timestamp;
use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::layers::log;
use crate::limits::{TX_READS_MAX, VALUE_BYTES_MAX};
use crate::range::{Direction, Range};
use crate::shared::{Held, Snapshot};
use crate::state::State;

pub(crate) use reads::Reads;
pub(crate) use writes::{Append, Atomic, Write, Writes, apply, decode_counter};

/// A transaction in progress. Clones are handles on the same one.
///
/// Writes give no error of their own: a key or value beyond its bound, or a write in a read-only transaction,
/// fails the commit.
#[derive(Clone)]
pub struct Tx {
    inner: Arc<Inner>,
}

struct Inner {
    now: Timestamp,
    read_only: bool,
    /// Taken when the transaction ends.
    open: Mutex<Option<Open>>,
}

struct Open {
    state: Arc<State>,
    held: Arc<Held>,
    reads: Reads,
    writes: Writes,
    /// The first write that cannot be committed.
    refused: Option<StoreError>,
}

/// What a transaction hands over to be committed.
pub(crate) struct Finished {
    /// What keeps conflicts since its version from being forgotten.
    pub(crate) held: Arc<Held>,
    pub(crate) reads: Reads,
    pub(crate) writes: Writes,
}

/// Whether a read holds the transaction to what it saw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tracking {
    Serializable,
    Snapshot,
}

/// The position that a commit will give to an appended entry.
#[derive(Clone, Debug, Default)]
pub struct Position(Arc<OnceLock<u64>>);

impl Position {
    /// The position, once the transaction has committed; `None` before.
    pub fn get(&self) -> Option<u64> {
        self.0.get().copied()
    }
}

impl Tx {
    pub(crate) fn new(snapshot: Snapshot, now: Timestamp, read_only: bool) -> Self {
        let Snapshot { state, held } = snapshot;
        let open = Open { state, held, reads: Reads::default(), writes: Writes::default(), refused: None };
        Self { inner: Arc::new(Inner { now, read_only, open: Mutex::new(Some(open)) }) }
    }

    /// The time of this transaction: one and the same however often it is asked. An attempt after a conflict
    /// has its own.
    pub fn now(&self) -> Timestamp {
        self.inner.now
    }

    /// The value at `key`, with this transaction's own changes.
    #[expect(clippy::unused_async, reason = "an engine over a network answers later")]
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.with(|open| open.get(key, self.tracking()))
    }

    /// As [`Self::get`], but a later change to the key does not make this transaction conflict.
    #[expect(clippy::unused_async, reason = "an engine over a network answers later")]
    pub async fn get_snapshot(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.with(|open| open.get(key, Tracking::Snapshot))
    }

    /// The values at `keys`, in their order.
    #[expect(clippy::unused_async, reason = "an engine over a network answers later")]
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.with(|open| keys.iter().map(|key| open.get(key, self.tracking())).collect())
    }

    /// The first `limit` rows of a range in a direction, with this transaction's own changes.
    /// Only the part that was read can conflict.
    pub async fn range(
        &self,
        range: &Range,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.read_range(range, limit, direction, self.tracking()).await
    }

    /// As [`Self::range`], but later changes do not make this transaction conflict.
    pub async fn range_snapshot(
        &self,
        range: &Range,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.read_range(range, limit, direction, Tracking::Snapshot).await
    }

    /// Sets the value at `key`.
    pub fn put(&self, key: &Key, value: impl Into<Bytes>) {
        let value = value.into();
        self.write(key, |writes, key| {
            StoreError::check_size("a value", value.len(), VALUE_BYTES_MAX)?;
            writes.set(key, Write::Put(value))
        });
    }

    /// Deletes `key`, if it is there.
    pub fn delete(&self, key: &Key) {
        self.write(key, |writes, key| writes.set(key, Write::Delete));
    }

    /// Deletes every key of a range that is there when the transaction commits. Never conflicts by itself.
    pub fn delete_range(&self, range: &Range) {
        let range = range.clone();
        self.write(&Key::default(), |writes, _| writes.clear(range));
    }

    /// Adds to the counter at `key` without reading it, and so without conflict; saturates at the ends of `i64`.
    pub fn add(&self, key: &Key, more: i64) {
        self.write(key, |writes, key| writes.atomic(key, Atomic::Add(more)));
    }

    /// Lowers the counter at `key` to `offer` if it is higher or absent, without conflict.
    pub fn min(&self, key: &Key, offer: i64) {
        self.write(key, |writes, key| writes.atomic(key, Atomic::Min(offer)));
    }

    /// Raises the counter at `key` to `offer` if it is lower or absent, without conflict.
    pub fn max(&self, key: &Key, offer: i64) {
        self.write(key, |writes, key| writes.atomic(key, Atomic::Max(offer)));
    }

    /// The counter at `key`; 0 if it is absent.
    pub async fn counter(&self, key: &Key) -> Result<i64, StoreError> {
        self.get(key).await?.map_or(Ok(0), |value| decode_counter(key.as_ref(), &value))
    }

    /// Appends an entry to the log at `log` and returns its position: 0, 1, 2 … without gaps. Two transactions
    /// that append to one log conflict, so this is for the log's owner; others take [`Self::append_at_commit`].
    pub async fn append(&self, log: &Key, value: impl Into<Bytes>) -> Result<u64, StoreError> {
        let tail = log::tail_key(log);
        let position = self.counter(&tail).await?;
        let position = u64::try_from(position)
            .map_err(|_| StoreError::corrupt(format!("the log {log:?}"), "its tail is negative"))?;
        self.put(&log::entry_key(log, position), value);
        self.add(&tail, 1);
        Ok(position)
    }

    /// Appends an entry to the log at `log` when the transaction commits, behind all that committed before it.
    /// Never conflicts; the position is known once the transaction has committed.
    pub fn append_at_commit(&self, log: &Key, value: impl Into<Bytes>) -> Position {
        let (position, value) = (Position::default(), value.into());
        self.write(log, |writes, log| {
            StoreError::check_size("a value", value.len(), VALUE_BYTES_MAX)?;
            writes.append(Append { log, value, position: position.0.clone() })
        });
        position
    }

    /// Ends the transaction and gives back what it would change.
    pub(crate) fn finish(&self) -> Result<Finished, StoreError> {
        // The version itself is let go here: the committer can then change it in place.
        let Open { held, reads, writes, refused, .. } = self.lock().take().ok_or(StoreError::Finished)?;
        refused.map_or(Ok(Finished { held, reads, writes }), Err)
    }

    /// Ends the transaction; what it holds of the store is let go.
    pub(crate) fn abandon(&self) {
        drop(self.lock().take());
    }

    async fn read_range(
        &self,
        range: &Range,
        limit: usize,
        direction: Direction,
        tracking: Tracking,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        let mut rows = Vec::new();
        let mut rest = range.clone();
        // In pieces, so that a long range does not keep the thread from others.
        loop {
            let wanted = (limit - rows.len()).min(crate::limits::ROWS_PER_TURN);
            let piece = self.with(|open| open.range(&rest, wanted, direction, tracking))?;
            let exhausted = piece.len() < wanted;
            rows.extend(piece);
            StoreError::check_size("a range read", rows.len(), TX_READS_MAX)?;
            if exhausted || rows.len() == limit {
                return Ok(rows);
            }
            if let Some((last, _)) = rows.last() {
                rest = match direction {
                    Direction::Forward => rest.after(last),
                    Direction::Backward => rest.before(last),
                };
            }
            apus_env::yield_now().await;
        }
    }

    /// What is only read never commits, so nothing need be remembered of it, however much it is.
    fn tracking(&self) -> Tracking {
        if self.inner.read_only { Tracking::Snapshot } else { Tracking::Serializable }
    }

    fn with<T>(&self, body: impl FnOnce(&mut Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.lock().as_mut().map_or(Err(StoreError::Finished), body)
    }

    fn write(&self, key: &Key, change: impl FnOnce(&mut Writes, Bytes) -> Result<(), StoreError>) {
        let read_only = self.inner.read_only;
        let mut open = self.lock();
        let Some(open) = open.as_mut() else {
            panic!("a write after the end of its transaction would be lost")
        };
        if open.refused.is_some() {
            return;
        }
        let allowed = if read_only { Err(StoreError::ReadOnly) } else { key.check() };
        let result = allowed.and_then(|()| change(&mut open.writes, key.as_bytes().clone()));
        open.refused = result.err();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn get(&mut self, key: &Key, tracking: Tracking) -> Result<Option<Bytes>, StoreError> {
        key.check()?;
        let bytes = key.as_bytes();
        match self.writes.by_key.get(bytes) {
            Some(Write::Put(value)) => return Ok(Some(value.clone())),
            Some(Write::Delete) => return Ok(None),
            Some(Write::Atomic(_)) => {}
            None if self.writes.is_cleared(bytes) => return Ok(None),
            None => {}
        }
        if tracking == Tracking::Serializable {
            self.reads.key(bytes)?;
        }
        let below = self.state.get(bytes)?;
        match self.writes.by_key.get(bytes) {
            Some(Write::Atomic(changes)) => Ok(Some(apply(bytes, below.as_ref(), changes)?)),
            _ => Ok(below),
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("now", &self.inner.now)
            .field("read_only", &self.inner.read_only)
            .finish_non_exhaustive()
    }
}
