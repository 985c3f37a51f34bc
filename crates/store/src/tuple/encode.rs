//! Values to bytes, in order.

use apus_time::Timestamp;
use bytes::Bytes;

use super::{BYTES, END, ESCAPED, FALSE, INT, NESTED, STRING, TIME, TRUE};

/// A value that can stand in a key.
pub trait Element {
    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Several elements in a row: `()`, `(a,)`, `(a, b)` … up to eight.
pub trait Tuple {
    /// Appends the encodings, one after the other.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A tuple as one element of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nested<T>(pub T);

/// The bytes of a tuple.
pub fn pack(tuple: impl Tuple) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    tuple.encode(&mut out);
    out
}

fn delimited(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    for (index, piece) in bytes.split(|byte| *byte == END).enumerate() {
        if index > 0 {
            out.extend_from_slice(&[END, ESCAPED]);
        }
        out.extend_from_slice(piece);
    }
    out.push(END);
}

fn magnitude_length(magnitude: u64) -> u8 {
    8 - (magnitude.leading_zeros() / 8) as u8
}

fn positive(number: u64, out: &mut Vec<u8>) {
    let length = magnitude_length(number);
    out.push(INT + length);
    out.extend_from_slice(&number.to_be_bytes()[8 - length as usize..]);
}

fn signed(number: i64, out: &mut Vec<u8>) {
    if number >= 0 {
        return positive(number.unsigned_abs(), out);
    }
    let length = magnitude_length(number.unsigned_abs());
    out.push(INT - length);
    // The complement turns the order of magnitudes around.
    out.extend_from_slice(&(!number.unsigned_abs()).to_be_bytes()[8 - length as usize..]);
}

impl Element for str {
    fn encode(&self, out: &mut Vec<u8>) {
        delimited(STRING, self.as_bytes(), out);
    }
}

impl Element for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Element for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        delimited(BYTES, self, out);
    }
}

impl Element for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

impl Element for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_ref().encode(out);
    }
}

impl<const N: usize> Element for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

macro_rules! integers {
    ($via:ident as $wide:ty: $($int:ty)*) => {$(
        impl Element for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                $via(<$wide>::from(*self), out);
            }
        }
    )*};
}

integers!(positive as u64: u8 u16 u32 u64);
integers!(signed as i64: i32 i64);

impl Element for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(if *self { TRUE } else { FALSE });
    }
}

impl Element for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(TIME);
        // Flipping the sign bit puts times before the epoch first.
        out.extend_from_slice(&(self.as_micros() as u64 ^ 1 << 63).to_be_bytes());
    }
}

impl<T: Tuple> Element for Nested<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(NESTED);
        self.0.encode(out);
        out.push(END);
    }
}

impl<E: Element + ?Sized> Element for &E {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*))*) => {$(
        impl<$($name: Element),*> Tuple for ($($name,)*) {
            fn encode(&self, _out: &mut Vec<u8>) {
                $(self.$index.encode(_out);)*
            }
        }
    )*};
}

tuples! {
    () (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5) (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

impl<T: Tuple + ?Sized> Tuple for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}
