//! Bytes in, bytes out: one schema-driven codec per AWS protocol, and Signature Version 4.

pub mod sigv4;
