//! Whose keys are whose: every key begins with an account, a region and a service.

use crate::error::StoreError;
use crate::key::Key;
use crate::range::Range;
use crate::tuple::{FromTuple, Tuple, unpack};

/// The region of what belongs to no region.
const GLOBAL: &str = "";

/// A part of the key space: all keys with one beginning. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    prefix: Key,
}

impl Keyspace {
    /// The keys of one service in one account and region.
    pub fn new(account: &str, region: &str, service: &str) -> Self {
        Self { prefix: Key::of((account, region, service)) }
    }

    /// The keys of a service that knows no regions, in one account.
    pub fn global(account: &str, service: &str) -> Self {
        Self::new(account, GLOBAL, service)
    }

    /// The part whose keys go on with `tuple`.
    #[must_use]
    pub fn sub(&self, tuple: impl Tuple) -> Self {
        Self { prefix: self.prefix.with(tuple) }
    }

    /// The key that goes on with `tuple`.
    pub fn key(&self, tuple: impl Tuple) -> Key {
        self.prefix.with(tuple)
    }

    /// The beginning that all keys of this part share; itself a key.
    pub fn prefix(&self) -> &Key {
        &self.prefix
    }

    /// Every key of this part.
    pub fn all(&self) -> Range {
        Range::prefix(&self.prefix)
    }

    /// The keys that go on with `tuple` and then anything.
    pub fn range(&self, tuple: impl Tuple) -> Range {
        Range::prefix(&self.prefix.with(tuple))
    }

    /// Reads what follows the shared beginning of a key.
    pub fn unpack<T: FromTuple>(&self, key: &Key) -> Result<T, StoreError> {
        let rest = key.as_bytes().strip_prefix(self.prefix.as_ref());
        let rest =
            rest.ok_or_else(|| StoreError::corrupt(format!("{key:?}"), "the key belongs to another part"))?;
        Ok(unpack(rest)?)
    }
}
