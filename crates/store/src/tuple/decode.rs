//! Bytes to values; what was not encoded here is refused, never guessed.

use std::fmt;

use apus_time::Timestamp;
use bytes::Bytes;

use super::{BYTES, END, ESCAPED, FALSE, INT, NESTED, Nested, STRING, TIME, TRUE};
use crate::error::StoreError;
use crate::key::show;

/// Bytes that are not the tuple expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TupleError {
    expected: &'static str,
    bytes: Vec<u8>,
}

/// A value that can be read from a key.
pub trait FromElement: Sized {
    /// Reads one element.
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError>;
}

/// A row of values that can be read from a key.
pub trait FromTuple: Sized {
    /// Reads the elements in their order.
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError>;
}

/// Reads a tuple that fills `bytes` to the end.
pub fn unpack<T: FromTuple>(bytes: &[u8]) -> Result<T, TupleError> {
    let mut reader = TupleReader::new(bytes);
    let tuple = T::decode(&mut reader)?;
    if reader.is_empty() { Ok(tuple) } else { Err(reader.error("the end of the tuple")) }
}

/// Reads elements one after the other, for tuples whose shape depends on their beginning.
#[derive(Clone, Debug)]
pub struct TupleReader<'a> {
    rest: &'a [u8],
}

impl<'a> TupleReader<'a> {
    /// A reader at the first element.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next element.
    pub fn read<T: FromElement>(&mut self) -> Result<T, TupleError> {
        T::decode(self)
    }

    /// Whether every element was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn error(&self, expected: &'static str) -> TupleError {
        TupleError { expected, bytes: self.rest.to_vec() }
    }

    fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8], TupleError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.error(expected))?;
        self.rest = rest;
        Ok(taken)
    }

    fn tag(&mut self, tag: u8, expected: &'static str) -> Result<(), TupleError> {
        if self.rest.first() != Some(&tag) {
            return Err(self.error(expected));
        }
        self.rest = &self.rest[1..];
        Ok(())
    }

    fn delimited(&mut self, tag: u8, expected: &'static str) -> Result<Vec<u8>, TupleError> {
        let error = self.error(expected);
        self.tag(tag, expected)?;
        let mut out = Vec::new();
        loop {
            let end = self.rest.iter().position(|&byte| byte == END).ok_or_else(|| error.clone())?;
            out.extend_from_slice(&self.rest[..end]);
            self.rest = &self.rest[end + 1..];
            if self.rest.first() != Some(&ESCAPED) {
                return Ok(out);
            }
            out.push(END);
            self.rest = &self.rest[1..];
        }
    }

    fn integer(&mut self) -> Result<i128, TupleError> {
        const EXPECTED: &str = "an integer";
        let error = self.error(EXPECTED);
        let tag = *self.rest.first().ok_or_else(|| error.clone())?;
        let length = tag.abs_diff(INT) as usize;
        if length > 8 {
            return Err(error);
        }
        let bytes = &self.take(length + 1, EXPECTED)?[1..];
        let read = bytes.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        let mask = if length == 8 { u64::MAX } else { (1 << (8 * length)) - 1 };
        let number = if tag >= INT { i128::from(read) } else { -i128::from(!read & mask) };
        // One number has one encoding: no leading zeros.
        let shortest = length == 0 || number.unsigned_abs() >> (8 * (length - 1)) != 0;
        if shortest { Ok(number) } else { Err(error) }
    }
}

impl FromElement for String {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        let error = reader.error("a string");
        Self::from_utf8(reader.delimited(STRING, "a string")?).map_err(|_| error)
    }
}

impl FromElement for Vec<u8> {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        reader.delimited(BYTES, "bytes")
    }
}

impl FromElement for Bytes {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        reader.delimited(BYTES, "bytes").map(Self::from)
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl FromElement for $int {
            fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
                let error = reader.error(concat!("an integer that fits ", stringify!($int)));
                reader.integer()?.try_into().map_err(|_| error)
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 i32 i64);

impl FromElement for bool {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        let error = reader.error("a boolean");
        match reader.take(1, "a boolean")? {
            [FALSE] => Ok(false),
            [TRUE] => Ok(true),
            _ => Err(error),
        }
    }
}

impl FromElement for Timestamp {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        let error = reader.error("a time");
        reader.tag(TIME, "a time")?;
        let bytes = reader.take(8, "a time")?.try_into().map_err(|_| error.clone())?;
        let micros = (u64::from_be_bytes(bytes) ^ 1 << 63) as i64;
        let time = Self::from_micros(micros);
        if time.as_micros() == micros { Ok(time) } else { Err(error) }
    }
}

impl<T: FromTuple> FromElement for Nested<T> {
    fn decode(reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
        reader.tag(NESTED, "a nested tuple")?;
        let tuple = T::decode(reader)?;
        reader.tag(END, "the end of a nested tuple")?;
        Ok(Self(tuple))
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<$($name: FromElement),*> FromTuple for ($($name,)*) {
            fn decode(_reader: &mut TupleReader<'_>) -> Result<Self, TupleError> {
                Ok(($($name::decode(_reader)?,)*))
            }
        }
    )*};
}

tuples! {
    () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

impl fmt::Display for TupleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, show(&self.bytes))
    }
}

impl std::error::Error for TupleError {}

impl From<TupleError> for StoreError {
    fn from(error: TupleError) -> Self {
        Self::corrupt("a stored key", error.to_string())
    }
}
