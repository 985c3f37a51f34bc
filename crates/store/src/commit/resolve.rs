//! From what a transaction means to what changes: ranges become keys, counters values, appends positions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Changes;
use crate::error::StoreError;
use crate::key::Key;
use crate::layers::log;
use crate::limits::TX_CLEARED_KEYS_MAX;
use crate::range::Direction;
use crate::state::State;
use crate::tx::{Atomic, Write, Writes, apply as apply_atomics, decode_counter};

/// What became of one transaction.
pub(super) struct Resolved {
    /// Where its changes begin in the batch's.
    pub(super) first_change: usize,
    pub(super) positions: Vec<(Arc<OnceLock<u64>>, u64)>,
}

/// Lays a transaction's writes over `state` and adds them to `changes`; neither is touched on an error.
pub(super) fn apply(
    state: &mut State,
    writes: Writes,
    changes: &mut Changes,
) -> Result<Resolved, StoreError> {
    let mut own: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
    for range in &writes.cleared {
        for row in state.scan(range, Direction::Forward)? {
            own.insert(row?.0, None);
            StoreError::check_size("a deletion of ranges, in keys,", own.len(), TX_CLEARED_KEYS_MAX)?;
        }
    }
    for (key, write) in writes.by_key {
        let value = match write {
            Write::Put(value) => Some(value),
            Write::Delete => None,
            Write::Atomic(atomics) => Some(apply_atomics(&key, state.get(&key)?.as_ref(), &atomics)?),
        };
        own.insert(key, value);
    }
    let mut positions = Vec::with_capacity(writes.appends.len());
    for append in writes.appends {
        let log = Key::from(append.log);
        let tail = log::tail_key(&log).into_bytes();
        let old = match own.get(&tail) {
            Some(value) => value.clone(),
            None => state.get(&tail)?,
        };
        let position = old.as_ref().map_or(Ok(0), |value| decode_counter(&tail, value))? as u64;
        own.insert(log::entry_key(&log, position).into_bytes(), Some(append.value));
        own.insert(tail.clone(), Some(apply_atomics(&tail, old.as_ref(), &[Atomic::Add(1)])?));
        positions.push((append.position, position));
    }
    // Whatever can fail comes before the first change to the state.
    let mut checked = Vec::with_capacity(own.len());
    for (key, value) in own {
        let hides = value.is_none() && state.is_below(&key)?;
        checked.push((key, value, hides));
    }
    let first_change = changes.len();
    for (key, value, hides) in checked {
        state.set(key.clone(), value.clone(), hides);
        changes.push((key, value));
    }
    Ok(Resolved { first_change, positions })
}
