//! A block: rows that follow each other, together one value of the base, under the first one's key.
//!
//! ```text
//! block  length of what all its keys begin with (u16), rows
//! row    length of the rest of its key (u16), of its value (u32), the rest of its key, its value
//! value  0, its bytes; or 1, its length (u32 big-endian) if its bytes lie in pieces
//! ```
//!
//! Numbers are little-endian where nothing else is said. What all keys begin with stands in the block's own key.

use std::cmp::Ordering;

use bytes::{BufMut, Bytes};

use crate::error::StoreError;
use crate::key::show;

/// A block and its key take at most so many bytes, unless it has one row only: with redb's own few bytes they fit
/// two pages. Larger ones cost less for rows that follow each other, and more where one of many is changed.
pub(super) const BLOCK_BYTES_MAX: usize = 8 * 1024 - 64;

const HEADER: usize = 2;
const ROW_HEADER: usize = 6;
const WHOLE: u8 = 0;
const IN_PIECES: u8 = 1;

/// A row's value, as the base has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Whole(Bytes),
    /// The length of a value whose bytes lie in pieces.
    InPieces(u32),
}

pub(super) type Row = (Bytes, Stored);

impl Stored {
    fn size(&self) -> usize {
        1 + match self {
            Self::Whole(value) => value.len(),
            Self::InPieces(_) => 4,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(value) => {
                out.push(WHOLE);
                out.extend_from_slice(value);
            }
            Self::InPieces(length) => {
                out.push(IN_PIECES);
                out.put_u32(*length);
            }
        }
    }

    /// Reads what [`Self::write`] wrote; the bytes are copied.
    pub(super) fn read(key: &[u8], bytes: &[u8]) -> Result<Self, StoreError> {
        Self::read_with(key, bytes, || Bytes::copy_from_slice(&bytes[1..]))
    }

    fn read_with(key: &[u8], bytes: &[u8], whole: impl FnOnce() -> Bytes) -> Result<Self, StoreError> {
        match bytes {
            [WHOLE, ..] => Ok(Self::Whole(whole())),
            [IN_PIECES, a, b, c, d] => Ok(Self::InPieces(u32::from_be_bytes([*a, *b, *c, *d]))),
            _ => Err(StoreError::corrupt(format!("the value at {}", show(key)), "it has no known form")),
        }
    }
}

/// About what a row takes in a block, in bytes.
pub(super) fn row_bytes((key, value): &Row) -> usize {
    ROW_HEADER + key.len() + value.size()
}

/// How many of the first rows, at least one, make a block of at most so many bytes; and its bytes.
pub(super) fn fit(rows: &[Row], limit: usize) -> (usize, usize) {
    let Some((first, _)) = rows.first() else { return (0, 0) };
    let (mut prefix, mut keys, mut rest, mut fitting) = (first.len(), 0, HEADER + first.len(), 0);
    for (index, (key, value)) in rows.iter().enumerate() {
        prefix = common(&first[..prefix], key);
        keys += key.len();
        rest += ROW_HEADER + value.size();
        let size = rest + keys - prefix * (index + 1);
        if index > 0 && size > limit {
            return (index, fitting);
        }
        fitting = size;
    }
    (rows.len(), fitting)
}

/// Writes rows, which are in order, as a block.
pub(super) fn encode(rows: &[Row], out: &mut Vec<u8>) {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return };
    let prefix = common(first, last);
    out.put_u16_le(prefix as u16);
    for (key, value) in rows {
        out.put_u16_le((key.len() - prefix) as u16);
        out.put_u32_le(value.size() as u32);
        out.extend_from_slice(&key[prefix..]);
        value.write(out);
    }
}

/// How many bytes both begin with.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// A block's bytes, under its key.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    first: &'a [u8],
    bytes: &'a [u8],
}

/// Where a row lies in its block.
#[derive(Clone, Copy)]
pub(super) struct Place {
    key: usize,
    value: usize,
    end: usize,
}

impl<'a> Block<'a> {
    pub(super) fn new(first: &'a [u8], bytes: &'a [u8]) -> Self {
        Self { first, bytes }
    }

    fn damaged(&self) -> StoreError {
        StoreError::corrupt(format!("the block at {}", show(self.first)), "its rows do not fit together")
    }

    /// What all keys begin with.
    fn prefix(&self) -> Result<&'a [u8], StoreError> {
        let length = self.bytes.first_chunk().map(|length| u16::from_le_bytes(*length).into());
        length.and_then(|length: usize| self.first.get(..length)).ok_or_else(|| self.damaged())
    }

    fn place(&self, at: usize) -> Result<Place, StoreError> {
        let header = self.bytes.get(at..at + ROW_HEADER).ok_or_else(|| self.damaged())?;
        let key = at + ROW_HEADER;
        let value = key + usize::from(u16::from_le_bytes([header[0], header[1]]));
        let end = value + u32::from_le_bytes([header[2], header[3], header[4], header[5]]) as usize;
        if end > self.bytes.len() { Err(self.damaged()) } else { Ok(Place { key, value, end }) }
    }

    /// Where the rows lie, in order.
    pub(super) fn places(&self) -> Result<Vec<Place>, StoreError> {
        let (mut places, mut at) = (Vec::new(), HEADER);
        while at < self.bytes.len() {
            let place = self.place(at)?;
            at = place.end;
            places.push(place);
        }
        Ok(places)
    }

    /// The value at a key, as it is stored.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<&'a [u8]>, StoreError> {
        let Some(wanted) = key.strip_prefix(self.prefix()?) else { return Ok(None) };
        let mut at = HEADER;
        while at < self.bytes.len() {
            let place = self.place(at)?;
            match self.bytes[place.key..place.value].cmp(wanted) {
                Ordering::Less => at = place.end,
                Ordering::Equal => return Ok(Some(self.value(place))),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    pub(super) fn value(&self, place: Place) -> &'a [u8] {
        &self.bytes[place.value..place.end]
    }

    pub(super) fn key(&self, place: Place) -> Result<Bytes, StoreError> {
        Ok([self.prefix()?, &self.bytes[place.key..place.value]].concat().into())
    }

    /// Compares a row's key with another.
    pub(super) fn compare(&self, place: Place, other: &[u8]) -> Result<Ordering, StoreError> {
        let prefix = self.prefix()?;
        Ok(match other.split_at_checked(prefix.len()) {
            Some((begin, rest)) => {
                prefix.cmp(begin).then_with(|| self.bytes[place.key..place.value].cmp(rest))
            }
            None => match prefix[..other.len()].cmp(other) {
                Ordering::Equal => Ordering::Greater,
                different => different,
            },
        })
    }

    /// All rows. They share their memory, so none should outlive the others for long.
    pub(super) fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let (places, prefix) = (self.places()?, self.prefix()?);
        let mut keys = Vec::with_capacity(places.len() * prefix.len() + self.bytes.len());
        for place in &places {
            keys.extend_from_slice(prefix);
            keys.extend_from_slice(&self.bytes[place.key..place.value]);
        }
        let (keys, bytes) = (Bytes::from(keys), Bytes::copy_from_slice(self.bytes));
        let mut at = 0;
        let row = |place: Place| {
            let key = keys.slice(at..at + prefix.len() + place.value - place.key);
            at += key.len();
            let whole = || bytes.slice(place.value + 1..place.end);
            let value = Stored::read_with(&key, self.value(place), whole)?;
            Ok((key, value))
        };
        places.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let key = (0..3usize, prop::collection::vec(0..4u8, 0..6))
            .prop_map(|(long, end)| [&vec![7; long * 40][..], &end].concat());
        let value = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| Stored::Whole(value.into())),
            any::<u32>().prop_map(Stored::InPieces),
        ];
        prop::collection::btree_map(key, value, 1..40)
            .prop_map(|rows| rows.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    proptest! {
        #[test]
        fn what_is_packed_is_found(rows in rows(), other in prop::collection::vec(0..8u8, 0..90)) {
            let mut bytes = Vec::new();
            encode(&rows, &mut bytes);
            let block = Block::new(&rows[0].0, &bytes);
            prop_assert_eq!(&block.rows().expect("whole"), &rows);
            for ((key, stored), place) in rows.iter().zip(block.places().expect("whole")) {
                let found = block.get(key).expect("whole").expect("is there");
                prop_assert_eq!(&Stored::read(key, found).expect("whole"), stored);
                prop_assert_eq!(block.compare(place, &other).expect("whole"), key.as_ref().cmp(&other));
            }
            let is_there = rows.iter().any(|(key, _)| *key == other);
            prop_assert_eq!(block.get(&other).expect("whole").is_some(), is_there);
        }

        #[test]
        fn as_many_fit_as_are_said_to(rows in rows(), limit in 0..1_000usize) {
            let (count, size) = fit(&rows, limit);
            let mut bytes = Vec::new();
            encode(&rows[..count], &mut bytes);
            prop_assert_eq!(size, bytes.len() + rows[0].0.len());
            prop_assert!(count == 1 || size <= limit);
            if count < rows.len() {
                bytes.clear();
                encode(&rows[..=count], &mut bytes);
                prop_assert!(bytes.len() + rows[0].0.len() > limit);
            }
        }

        #[test]
        fn damage_is_an_error_and_no_panic(rows in rows(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut bytes = Vec::new();
            encode(&rows, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let block = Block::new(&rows[0].0, &bytes);
            let _either = (block.rows(), block.get(&rows[rows.len() / 2].0));
            let short = Block::new(&rows[0].0, &bytes[..at]);
            let _either = (short.rows(), short.get(&rows[0].0));
        }
    }
}
