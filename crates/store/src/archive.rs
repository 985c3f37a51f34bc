//! A backup's bytes: one stream of checked blocks, ending in a count of what came before.

use std::io::{self, Read, Write};

use bytes::Bytes;

use crate::blobs::BlobId;
use crate::error::StoreError;

/// The form of archive that this release writes.
pub(crate) const ARCHIVE: u32 = 1;
/// No block is longer, in bytes: a row of the longest key and value fits.
const BLOCK_MAX: usize = 32 << 20;
const BLOCK_HEADER: usize = 9;

/// A piece of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// First: the archive's form and the store's format.
    Begin { archive: u32, format: u32 },
    /// Keys and values.
    Rows(Vec<(Bytes, Bytes)>),
    /// A blob follows.
    Blob(BlobId),
    /// The next bytes of the blob.
    Data(Bytes),
    /// Last: how many rows and blobs there are.
    End { rows: u64, blobs: u64 },
}

impl Block {
    fn kind(&self) -> u8 {
        match self {
            Self::Begin { .. } => 1,
            Self::Rows(_) => 2,
            Self::Blob(_) => 3,
            Self::Data(_) => 4,
            Self::End { .. } => 5,
        }
    }

    pub(crate) fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
        let payload = match self {
            Self::Begin { archive, format } => [archive.to_le_bytes(), format.to_le_bytes()].concat(),
            Self::Rows(rows) => rows.iter().fold(Vec::new(), |mut out, (key, value)| {
                for part in [key, value] {
                    out.extend_from_slice(&(part.len() as u32).to_le_bytes());
                    out.extend_from_slice(part);
                }
                out
            }),
            Self::Blob(id) => id.as_bytes().to_vec(),
            Self::Data(data) => data.to_vec(),
            Self::End { rows, blobs } => [rows.to_le_bytes(), blobs.to_le_bytes()].concat(),
        };
        let mut header = [0; BLOCK_HEADER];
        header[0] = self.kind();
        header[1..5].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[5..].copy_from_slice(&checksum(self.kind(), &payload).to_le_bytes());
        sink.write_all(&header)?;
        sink.write_all(&payload)
    }

    pub(crate) fn read(source: &mut dyn Read) -> Result<Self, StoreError> {
        let mut header = [0; BLOCK_HEADER];
        source.read_exact(&mut header).map_err(damaged)?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > BLOCK_MAX {
            return Err(wrong("a block is too long"));
        }
        let mut payload = vec![0; length];
        source.read_exact(&mut payload).map_err(damaged)?;
        let sum = u32::from_le_bytes([header[5], header[6], header[7], header[8]]);
        if sum != checksum(header[0], &payload) {
            return Err(wrong("a checksum does not hold"));
        }
        Self::decode(header[0], payload.into()).ok_or_else(|| wrong("a block makes no sense"))
    }

    fn decode(kind: u8, payload: Bytes) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
        Some(match kind {
            1 => Self::Begin { archive: u32_at(0)?, format: u32_at(4)? },
            2 => {
                let (mut rows, mut at) = (Vec::new(), 0);
                let mut part = || {
                    let length = u32_at(at)? as usize;
                    let bytes =
                        (at + 4 + length <= payload.len()).then(|| payload.slice(at + 4..at + 4 + length))?;
                    at += 4 + length;
                    Some((bytes, at))
                };
                let mut end = 0;
                while end < payload.len() {
                    let (key, _) = part()?;
                    let (value, after) = part()?;
                    rows.push((key, value));
                    end = after;
                }
                Self::Rows(rows)
            }
            3 => Self::Blob(<[u8; 16]>::try_from(payload.as_ref()).ok()?.into()),
            4 => Self::Data(payload),
            5 => Self::End { rows: u64_at(0)?, blobs: u64_at(8)? },
            _ => return None,
        })
    }
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

pub(crate) fn wrong(detail: &str) -> StoreError {
    StoreError::corrupt("the backup", detail)
}

fn damaged(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return wrong("it ends too early");
    }
    crate::disk::io_error("reading the backup")(error)
}
