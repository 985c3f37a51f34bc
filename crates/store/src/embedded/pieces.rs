//! Long values lie in pieces, so that none needs a run of pages larger than a piece.

use std::ops::Range;

use bytes::Bytes;
use redb::ReadableTable;

use super::base::{Rows, failed};
use super::block::Stored;
use crate::error::StoreError;
use crate::key::show;
use crate::limits::VALUE_BYTES_MAX;

/// Values up to this length lie whole; longer ones in pieces of it. With the longest key and redb's own
/// few bytes a piece fits a run of pages of 64 KiB.
const PIECE_BYTES: usize = 56 * 1024;

/// A key's new value, and what of its old one is not needed any more.
pub(super) fn store(
    pieces: &mut Rows<'_>,
    key: &[u8],
    value: Option<&Bytes>,
    before: Option<&Stored>,
) -> Result<Option<Stored>, StoreError> {
    let old_count = before.map_or(0, count);
    let stored = value.map(|value| {
        if value.len() > PIECE_BYTES {
            Stored::InPieces(value.len() as u32)
        } else {
            Stored::Whole(value.clone())
        }
    });
    let new_count = stored.as_ref().map_or(0, count);
    for (index, piece) in
        value.into_iter().flat_map(|value| value.chunks(PIECE_BYTES)).take(new_count).enumerate()
    {
        pieces.insert(piece_key(key, index).as_slice(), piece).map_err(failed)?;
    }
    remove(pieces, key, new_count..old_count)?;
    Ok(stored)
}

fn remove(pieces: &mut Rows<'_>, key: &[u8], which: Range<usize>) -> Result<(), StoreError> {
    for index in which {
        pieces.remove(piece_key(key, index).as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// How many pieces a value has.
pub(super) fn count(stored: &Stored) -> usize {
    match stored {
        Stored::Whole(_) => 0,
        Stored::InPieces(length) => (*length as usize).div_ceil(PIECE_BYTES),
    }
}

/// The value, put together.
pub(super) fn load(
    pieces: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    stored: Stored,
) -> Result<Bytes, StoreError> {
    let count = count(&stored);
    let length = match stored {
        Stored::Whole(value) => return Ok(value),
        Stored::InPieces(length) => length as usize,
    };
    let mut value = Vec::with_capacity(length.min(VALUE_BYTES_MAX));
    for index in 0..count {
        if let Some(piece) = pieces.get(piece_key(key, index).as_slice()).map_err(failed)? {
            value.extend_from_slice(piece.value());
        }
    }
    if value.len() != length {
        let detail = format!("{} of {length} bytes are there", value.len());
        return Err(StoreError::corrupt(format!("the value at {}", show(key)), detail));
    }
    Ok(value.into())
}

/// The key and the number of a piece.
pub(super) fn read_key(piece: &[u8]) -> (&[u8], usize) {
    let (key, index) = piece.split_last_chunk::<4>().unwrap_or((&[], &[u8::MAX; 4]));
    (key, u32::from_be_bytes(*index) as usize)
}

fn piece_key(key: &[u8], index: usize) -> Vec<u8> {
    [key, &(index as u32).to_be_bytes()].concat()
}
