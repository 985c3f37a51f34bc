//! Tuples as keys: an encoding whose byte order is the order of the values.
//!
//! Each element begins with a tag that is never zero, so that a shorter tuple comes before every longer one
//! that begins with it, and a tuple's encoding is a prefix of theirs. All integers share one number line.
//! Elements of different kinds are ordered by tag: bytes, strings, nested tuples, integers, booleans, times.

mod decode;
mod encode;

pub use decode::{FromElement, FromTuple, TupleError, TupleReader, unpack};
pub use encode::{Element, Nested, Tuple, pack};

/// Ends a string, bytes or a nested tuple; within strings and bytes a zero is followed by [`ESCAPED`].
const END: u8 = 0x00;
const ESCAPED: u8 = 0xff;
const BYTES: u8 = 0x10;
const STRING: u8 = 0x11;
const NESTED: u8 = 0x12;
/// Zero; `INT + n` is a positive number of n bytes, `INT - n` a negative one.
const INT: u8 = 0x20;
const FALSE: u8 = 0x30;
const TRUE: u8 = 0x31;
const TIME: u8 = 0x32;

#[cfg(test)]
mod tests;
