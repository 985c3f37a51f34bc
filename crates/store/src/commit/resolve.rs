//! From what transactions mean to what changes: ranges become keys, counters values, appends positions.
//!
//! The transactions of a batch are resolved one after the other, each on top of those before it, without
//! touching the version below: nothing has happened until the batch is durable.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use apus_env::HashMap;
use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::layers::log;
use crate::limits::TX_CLEARED_KEYS_MAX;
use crate::range::Direction;
use crate::state::{Change, State};
use crate::tx::{Atomic, Write, Writes, apply as apply_atomics, decode_counter};

/// A batch on its way from transactions to changes.
pub(super) struct Resolving<'s> {
    state: &'s State,
    changes: Vec<Change>,
    /// Where in `changes` each key was last changed, as far as someone has asked.
    index: HashMap<Bytes, usize>,
    indexed: usize,
    /// The state with the changes so far, made when someone asks for a range.
    scratch: Option<(State, usize)>,
}

/// What became of one transaction.
pub(super) struct Resolved {
    /// Where its changes begin in the batch's.
    pub(super) first_change: usize,
    pub(super) positions: Vec<(Arc<OnceLock<u64>>, u64)>,
}

impl<'s> Resolving<'s> {
    pub(super) fn new(state: &'s State) -> Self {
        Self { state, changes: Vec::new(), index: HashMap::default(), indexed: 0, scratch: None }
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Adds a transaction; an error leaves the batch as it was.
    pub(super) fn add(&mut self, writes: Writes) -> Result<Resolved, StoreError> {
        let first_change = self.changes.len();
        let mut positions = Vec::with_capacity(writes.appends.len());
        // Whatever can fail comes before the first change to the batch.
        let mut own = Vec::with_capacity(writes.by_key.len());
        if writes.cleared.is_empty() && writes.appends.is_empty() {
            for (key, write) in writes.by_key {
                let value = self.value(&key, write)?;
                own.push(self.change(key, value)?);
            }
        } else {
            for (key, value) in self.resolve_all(writes, &mut positions)? {
                own.push(self.change(key, value)?);
            }
        }
        self.changes.append(&mut own);
        Ok(Resolved { first_change, positions })
    }

    fn change(&self, key: Bytes, value: Option<Bytes>) -> Result<Change, StoreError> {
        let hides = value.is_none() && self.state.is_below(&key)?;
        Ok(Change { key, value, hides })
    }

    /// The general case, in the order that counts: ranges, keys, appends.
    fn resolve_all(
        &mut self,
        writes: Writes,
        positions: &mut Vec<(Arc<OnceLock<u64>>, u64)>,
    ) -> Result<BTreeMap<Bytes, Option<Bytes>>, StoreError> {
        let mut own: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
        for range in &writes.cleared {
            for row in self.with_changes().scan(range, Direction::Forward)? {
                own.insert(row?.0, None);
                StoreError::check_size("a deletion of ranges, in keys,", own.len(), TX_CLEARED_KEYS_MAX)?;
            }
        }
        for (key, write) in writes.by_key {
            let value = self.value(&key, write)?;
            own.insert(key, value);
        }
        for append in writes.appends {
            let log = Key::from(append.log);
            let tail = log::tail_key(&log).into_bytes();
            let old = match own.get(&tail) {
                Some(value) => value.clone(),
                None => self.get(&tail)?,
            };
            let position = old.as_ref().map_or(Ok(0), |value| decode_counter(&tail, value))? as u64;
            own.insert(log::entry_key(&log, position).into_bytes(), Some(append.value));
            own.insert(tail.clone(), Some(apply_atomics(&tail, old.as_ref(), &[Atomic::Add(1)])?));
            positions.push((append.position, position));
        }
        Ok(own)
    }

    fn value(&mut self, key: &Bytes, write: Write) -> Result<Option<Bytes>, StoreError> {
        Ok(match write {
            Write::Put(value) => Some(value),
            Write::Delete => None,
            Write::Atomic(atomics) => Some(apply_atomics(key, self.get(key)?.as_ref(), &atomics)?),
        })
    }

    /// The value at `key` with the changes so far.
    fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>, StoreError> {
        for (at, change) in self.changes.iter().enumerate().skip(self.indexed) {
            self.index.insert(change.key.clone(), at);
        }
        self.indexed = self.changes.len();
        match self.index.get(key) {
            Some(&at) => Ok(self.changes[at].value.clone()),
            None => self.state.get(key),
        }
    }

    /// The state with the changes so far.
    fn with_changes(&mut self) -> &State {
        let (state, done) = self.scratch.get_or_insert_with(|| (self.state.clone(), 0));
        state.apply(self.changes[*done..].to_vec());
        *done = self.changes.len();
        state
    }
}
