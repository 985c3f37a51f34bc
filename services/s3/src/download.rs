//! Giving a blob's bytes: read piece by piece, as fast as the reader takes them.

use apus_schema::{Body, BodyError};
use apus_store::{BlobReader, StoreError};
use bytes::Bytes;
use futures_util::stream;

use crate::range::ByteRange;

/// Bytes that are read at a time; one such piece is held.
const READ_BYTES: u64 = 256 * 1024;

/// A part of a blob as a body.
pub(crate) fn flow(reader: BlobReader, range: ByteRange) -> Body {
    let pieces = stream::try_unfold((reader, range.first), move |(reader, at)| async move {
        if at > range.last {
            return Ok(None);
        }
        let wanted = (range.last - at + 1).min(READ_BYTES);
        let piece =
            read(&reader, at, wanted as usize).await.map_err(|error| BodyError::Source(error.to_string()))?;
        let next = at + piece.len() as u64;
        Ok(Some((piece, (reader, next))))
    });
    Body::streaming(Box::pin(pieces), Some(range.length()))
}

async fn read(reader: &BlobReader, at: u64, wanted: usize) -> Result<Bytes, StoreError> {
    let piece = reader.read_at(at, wanted).await?;
    if piece.is_empty() {
        let place = format!("{reader:?}");
        return Err(StoreError::Corrupt { place, detail: "it is shorter than its object".into() });
    }
    Ok(piece)
}
