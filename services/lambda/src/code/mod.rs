//! Code packages: what an archive may contain, how it is unpacked, and where the unpacked code lies.

pub(crate) mod archive;
pub(crate) mod cache;
#[cfg(test)]
pub(crate) mod evil;
pub(crate) mod package;
pub(crate) mod unpack;
