//! Smithy's rpc-v2-cbor: the whole input and the whole output are one CBOR map.

mod read;
mod write;

pub(crate) use read::read_structure;
pub(crate) use write::{write_error, write_output};
