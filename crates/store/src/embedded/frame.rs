//! The log's bytes: a segment's header and its frames, each with a checksum.
//!
//! A frame's checksum covers its segment's salt, so that nothing that was written into a value, or lies in
//! the file from another time, passes for a frame.

use bytes::Bytes;

use crate::error::StoreError;
use crate::state::Change;

/// Bytes of a segment's header, padding included.
pub(super) const SEGMENT_HEADER: usize = 64;
/// Bytes of a frame's header.
pub(super) const FRAME_HEADER: usize = 24;
/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;

const SEGMENT_MAGIC: &[u8; 8] = b"APUSLOG1";
const FRAME_MAGIC: u32 = 0x6d72_6641;
/// In place of a value's length: the key is deleted.
const DELETED: u32 = u32::MAX;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Segments are numbered in the order in which they were begun.
    pub(super) number: u64,
    /// The sequence number of the first frame that it may hold.
    pub(super) first: u64,
    pub(super) salt: u64,
}

impl Segment {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[..8].copy_from_slice(SEGMENT_MAGIC);
        out[8..16].copy_from_slice(&self.number.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.salt.to_le_bytes());
        let sum = crc32fast::hash(&out[..32]);
        out[32..36].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..SEGMENT_HEADER)?;
        let whole =
            header.starts_with(SEGMENT_MAGIC) && u32_at(header, 32)? == crc32fast::hash(&header[..32]);
        whole.then_some(())?;
        Some(Self { number: u64_at(header, 8)?, first: u64_at(header, 16)?, salt: u64_at(header, 24)? })
    }
}

/// Appends a frame with a version's changes to `out`, padded to the next boundary.
pub(super) fn encode(salt: u64, sequence: u64, version: u64, changes: &[Change], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER]);
    out.extend_from_slice(&version.to_le_bytes());
    for Change { key, value, .. } in changes {
        let length = value.as_ref().map_or(DELETED, |value| value.len() as u32);
        out.extend_from_slice(&(key.len() as u16).to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    let payload = (out.len() - start - FRAME_HEADER) as u32;
    let header = &mut out[start..start + FRAME_HEADER];
    header[..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
    header[8..12].copy_from_slice(&payload.to_le_bytes());
    header[16..24].copy_from_slice(&sequence.to_le_bytes());
    let sum = checksum(salt, &out[start..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// A frame that is whole.
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    payload: &'a [u8],
    /// Bytes from its beginning to where the next one may begin.
    pub(super) size: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`, if a whole one is there.
    pub(super) fn decode(salt: u64, bytes: &'a [u8]) -> Option<Self> {
        if u32_at(bytes, 0)? != FRAME_MAGIC {
            return None;
        }
        let end = FRAME_HEADER + u32_at(bytes, 8)? as usize;
        let frame = bytes.get(..end)?;
        (u32_at(frame, 4)? == checksum(salt, frame)).then_some(())?;
        let sequence = u64_at(frame, 16)?;
        Some(Self { sequence, payload: &frame[FRAME_HEADER..], size: end.next_multiple_of(ALIGN) })
    }

    /// The version and its changes.
    pub(super) fn changes(&self) -> Result<(u64, Vec<Written>), StoreError> {
        let damaged = || {
            let place = format!("the log's frame {}", self.sequence);
            StoreError::corrupt(place, "its checksum holds, but its content makes no sense")
        };
        let version = u64_at(self.payload, 0).ok_or_else(damaged)?;
        let mut rest = &self.payload[8..];
        let mut changes = Vec::new();
        while !rest.is_empty() {
            let (change, after) = decode_change(rest).ok_or_else(damaged)?;
            changes.push(change);
            rest = after;
        }
        Ok((version, changes))
    }
}

/// A key and its value, or that it was deleted.
pub(super) type Written = (Bytes, Option<Bytes>);

fn decode_change(bytes: &[u8]) -> Option<(Written, &[u8])> {
    let key_length = u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?) as usize;
    let value_length = u32_at(bytes, 2)?;
    let (key, rest) = bytes.get(6..)?.split_at_checked(key_length)?;
    let key = Bytes::copy_from_slice(key);
    if value_length == DELETED {
        return Some(((key, None), rest));
    }
    let (value, rest) = rest.split_at_checked(value_length as usize)?;
    Some(((key, Some(Bytes::copy_from_slice(value))), rest))
}

/// Covers the salt and everything behind the checksum's own place.
fn checksum(salt: u64, frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&frame[8..]);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(salt: u64) -> Vec<u8> {
        let change = |key: &'static str, value: Option<&'static str>| Change {
            key: key.into(),
            value: value.map(Bytes::from),
            hides: false,
        };
        let changes = [change("key", Some("value")), change("gone", None)];
        let mut out = Vec::new();
        encode(salt, 7, 9, &changes, &mut out);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = frame(5);
        let read = Frame::decode(5, &bytes).expect("whole");
        assert_eq!((read.sequence, read.size), (7, bytes.len()));
        let (version, changes) = read.changes().expect("makes sense");
        assert_eq!(version, 9);
        assert_eq!(changes[0], (Bytes::from("key"), Some(Bytes::from("value"))));
        assert_eq!(changes[1], (Bytes::from("gone"), None));
        let segment = Segment { number: 1, first: 2, salt: 3 };
        assert_eq!(Segment::decode(&segment.encode()), Some(segment));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let bytes = frame(5);
        let whole = FRAME_HEADER + 8 + 6 + 3 + 5 + 6 + 4;
        for bit in 0..whole * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(5, &damaged).is_none(), "bit {bit}");
        }
        assert!((0..whole).all(|cut| Frame::decode(5, &bytes[..cut]).is_none()));
        assert!(Frame::decode(6, &bytes).is_none(), "a frame of another segment");
        let header = Segment { number: 1, first: 2, salt: 3 }.encode();
        for bit in 0..36 * 8 {
            let mut damaged = header;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Segment::decode(&damaged), None, "bit {bit}");
        }
    }
}
