//! Records: typed values that can grow. Fields are numbered (`#[cbor(map)]`, `#[n(0)]`), so that a newer
//! release reads what an older one wrote; a new field is optional or has a default.

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;

/// A value that knows its own encoding: everything that derives `minicbor`'s `Encode` and `Decode`.
pub trait Record: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> {}

impl<R: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>> Record for R {}

/// The bytes of a record.
pub fn encode<R: Record>(record: &R) -> Bytes {
    match minicbor::to_vec(record) {
        Ok(bytes) => bytes.into(),
        Err(error) => {
            unreachable!("writing to memory cannot fail, and records have no other errors: {error}")
        }
    }
}

/// Reads a record that was found at `key`.
pub fn decode<R: Record>(key: &Key, bytes: &[u8]) -> Result<R, StoreError> {
    minicbor::decode(bytes).map_err(|error| {
        let name = std::any::type_name::<R>();
        StoreError::corrupt(format!("the record at {key:?}"), format!("it is no `{name}` ({error})"))
    })
}
