//! What a transaction means to change, until it commits.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::show;
use crate::limits::TX_BYTES_MAX;
use crate::range::Range;

/// A change that needs no look at what it changes, and so never conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Atomic {
    Add(i64),
    Min(i64),
    Max(i64),
}

#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put(Bytes),
    Delete,
    Atomic(Vec<Atomic>),
}

/// An entry whose position the commit decides.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) log: Bytes,
    pub(crate) value: Bytes,
    pub(crate) position: Arc<OnceLock<u64>>,
}

/// The changes of one transaction. Cleared ranges come first, then writes by key, then appends.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) by_key: BTreeMap<Bytes, Write>,
    pub(crate) cleared: Vec<Range>,
    pub(crate) appends: Vec<Append>,
    bytes: usize,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.cleared.is_empty() && self.appends.is_empty()
    }

    /// An upper bound of what the commit writes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn set(&mut self, key: Bytes, write: Write) -> Result<(), StoreError> {
        self.grow(key.len() + if let Write::Put(value) = &write { value.len() } else { 0 })?;
        self.by_key.insert(key, write);
        Ok(())
    }

    pub(crate) fn atomic(&mut self, key: Bytes, change: Atomic) -> Result<(), StoreError> {
        self.grow(key.len() + 8)?;
        let cleared = self.is_cleared(&key);
        match self.by_key.get_mut(&key) {
            Some(Write::Atomic(changes)) => match (changes.last_mut(), change) {
                (Some(Atomic::Add(sum)), Atomic::Add(more)) if sum.checked_add(more).is_some() => {
                    *sum += more;
                }
                _ => changes.push(change),
            },
            Some(Write::Put(value)) => *value = apply(&key, Some(value), &[change])?,
            Some(write @ Write::Delete) => *write = Write::Put(apply(&key, None, &[change])?),
            None if cleared => {
                let value = apply(&key, None, &[change])?;
                self.by_key.insert(key, Write::Put(value));
            }
            None => {
                self.by_key.insert(key, Write::Atomic(vec![change]));
            }
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self, range: Range) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        self.grow(range.start.len() + range.end.as_ref().map_or(0, Bytes::len))?;
        self.by_key.retain(|key, _| !range.contains(key));
        self.cleared.push(range);
        Ok(())
    }

    pub(crate) fn append(&mut self, append: Append) -> Result<(), StoreError> {
        self.grow(append.log.len() + append.value.len())?;
        self.appends.push(append);
        Ok(())
    }

    /// Whether this transaction has deleted all that was there before at `key`.
    pub(crate) fn is_cleared(&self, key: &[u8]) -> bool {
        self.cleared.iter().any(|range| range.contains(key))
    }

    fn grow(&mut self, bytes: usize) -> Result<(), StoreError> {
        // A little per change keeps many empty ones from being free.
        self.bytes += bytes + 16;
        StoreError::check_size("a transaction", self.bytes, TX_BYTES_MAX)
    }
}

/// The counter's value after `changes`; arithmetic saturates. An absent counter counts as 0, and takes over
/// what a minimum or maximum offers.
pub(crate) fn apply(key: &[u8], value: Option<&Bytes>, changes: &[Atomic]) -> Result<Bytes, StoreError> {
    let mut counter = value.map(|value| decode_counter(key, value)).transpose()?;
    for change in changes {
        counter = Some(match *change {
            Atomic::Add(more) => counter.unwrap_or(0).saturating_add(more),
            Atomic::Min(offer) => counter.unwrap_or(offer).min(offer),
            Atomic::Max(offer) => counter.unwrap_or(offer).max(offer),
        });
    }
    Ok(encode_counter(counter.unwrap_or(0)))
}

pub(crate) fn encode_counter(counter: i64) -> Bytes {
    Bytes::copy_from_slice(&counter.to_be_bytes())
}

pub(crate) fn decode_counter(key: &[u8], value: &[u8]) -> Result<i64, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::NotACounter { key: show(key) })?;
    Ok(i64::from_be_bytes(bytes))
}
