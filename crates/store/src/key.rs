//! A key: bytes in their order, most often an encoded tuple.

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;

use crate::error::StoreError;
use crate::limits::KEY_BYTES_MAX;
use crate::tuple::{self, Tuple};

/// What tuples mostly take at the end of a key, at most.
const TUPLE_BYTES: usize = 32;

/// A key of the store. Keys are ordered as their bytes are. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The key that a tuple encodes to.
    pub fn of(tuple: impl Tuple) -> Self {
        Self(tuple::pack(tuple).into())
    }

    /// This key with a tuple's elements behind it.
    #[must_use]
    pub fn with(&self, tuple: impl Tuple) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + TUPLE_BYTES);
        bytes.extend_from_slice(&self.0);
        tuple.encode(&mut bytes);
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        StoreError::check_size("a key", self.0.len(), KEY_BYTES_MAX)
    }
}

macro_rules! key_from {
    ($($source:ty => $convert:expr),* $(,)?) => {$(
        impl From<$source> for Key {
            fn from(source: $source) -> Self {
                Self($convert(source))
            }
        }
    )*};
}

key_from! {
    Bytes => |bytes| bytes,
    Vec<u8> => Bytes::from,
    &[u8] => Bytes::copy_from_slice,
    &str => |text: &str| Bytes::copy_from_slice(text.as_bytes()),
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

/// Bytes for people: printable ASCII as it is, the rest escaped.
pub(crate) fn show(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}
