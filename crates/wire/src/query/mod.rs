//! The query protocol: forms in, XML out.

pub(crate) mod read;
pub(crate) mod write;
