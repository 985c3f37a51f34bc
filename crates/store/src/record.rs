//! Records: typed values that can grow. Fields are numbered (`#[cbor(map)]`, `#[n(0)]`), so that a newer
//! release reads what an older one wrote; a new field is optional or has a default.

use std::cell::RefCell;

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;

/// A value that knows its own encoding: everything that derives `minicbor`'s `Encode` and `Decode`.
pub trait Record: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> {}

impl<R: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>> Record for R {}

/// A buffer that one large record has blown up is given back beyond this.
const BUFFER_KEPT: usize = 64 << 10;

thread_local! {
    /// Where records are encoded, so that none grows its own buffer by and by.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The bytes of a record.
pub fn encode<R: Record>(record: &R) -> Bytes {
    // Taken out, for a record may have another encoded within it.
    let mut buffer = BUFFER.take();
    if let Err(error) = minicbor::encode(record, &mut buffer) {
        unreachable!("writing to memory cannot fail, and records have no other errors: {error}")
    }
    let bytes = Bytes::copy_from_slice(&buffer);
    if buffer.capacity() <= BUFFER_KEPT {
        buffer.clear();
        BUFFER.set(buffer);
    }
    bytes
}

/// Reads a record that was found at `key`.
pub fn decode<R: Record>(key: &Key, bytes: &[u8]) -> Result<R, StoreError> {
    minicbor::decode(bytes).map_err(|error| {
        let name = std::any::type_name::<R>();
        StoreError::corrupt(format!("the record at {key:?}"), format!("it is no `{name}` ({error})"))
    })
}
