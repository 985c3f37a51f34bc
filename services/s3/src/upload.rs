//! Taking an object's bytes: into memory while they are few, into a blob from then on; hashed as they flow.
//!
//! Bounded: at most [`WRITE_BYTES`] and one piece of the stream are held. What fails leaves no blob.

use std::collections::BTreeSet;

use apus_schema::{Body, ServiceError};
use apus_store::{BlobWriter, Blobs, StoreError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::checksum::{Algorithm, Checksum, Digests, md5_to_base64};
use crate::errors;
use crate::object::{INLINE_BYTES_MAX, OBJECT_BYTES_MAX, Place};

/// Bytes that are gathered before they are written to a blob.
const WRITE_BYTES: usize = 512 * 1024;

/// What a writer says of the bytes that it sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) md5: Option<[u8; 16]>,
    /// Given in advance.
    pub(crate) checksum: Option<Checksum>,
    /// To be given in a trailer, if not in advance.
    pub(crate) algorithm: Option<Algorithm>,
}

/// Bytes that were taken and are what their writer says.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) size_bytes: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Checksum,
    pub(crate) place: Place,
    /// The bytes themselves, if they are to be held in the store.
    pub(crate) bytes: Bytes,
}

/// Takes a body. When this returns, a blob that it made is durable, and nobody's yet.
pub(crate) async fn receive(
    blobs: &Blobs,
    body: &Body,
    expected: &Expected,
) -> Result<Received, ServiceError> {
    let length = body.length().ok_or_else(errors::missing_content_length)?;
    if length > OBJECT_BYTES_MAX {
        return Err(errors::entity_too_large(length));
    }
    let algorithm = expected.checksum.as_ref().map(|checksum| checksum.algorithm).or(expected.algorithm);
    let algorithm = algorithm.unwrap_or(Algorithm::DEFAULT);
    let mut digests = Digests::new(&BTreeSet::from([algorithm]));
    let mut sink = Sink::Memory(BytesMut::new());
    let mut size_bytes = 0_u64;
    let mut stream = body.take().map_err(errors::body)?;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(errors::body)?;
        size_bytes += piece.len() as u64;
        if size_bytes > length {
            return Err(errors::incomplete_body());
        }
        digests.update(&piece);
        sink = sink.take(blobs, piece).await.map_err(errors::store)?;
    }
    if size_bytes != length {
        return Err(errors::incomplete_body());
    }
    let (md5, checksum) = check(digests, algorithm, expected, body)?;
    let (place, bytes) = sink.finish().await.map_err(errors::store)?;
    Ok(Received { size_bytes, md5, checksum, place, bytes })
}

/// Compares what came with what the writer says of it, in advance or behind.
fn check(
    digests: Digests,
    algorithm: Algorithm,
    expected: &Expected,
    body: &Body,
) -> Result<([u8; 16], Checksum), ServiceError> {
    let (md5, checksums) = digests.finish();
    if let Some(expected) = expected.md5
        && expected != md5
    {
        return Err(errors::bad_md5(md5_to_base64(expected), md5_to_base64(md5)));
    }
    let computed = checksums.into_iter().find(|checksum| checksum.algorithm == algorithm);
    let computed = computed.ok_or_else(|| ServiceError::internal("a checksum was not computed"))?;
    let announced = match &expected.checksum {
        Some(checksum) => Some(checksum.clone()),
        None => trailing(body)?,
    };
    match announced {
        Some(announced) if announced.algorithm != algorithm => {
            let name = announced.algorithm.name();
            let message =
                format!("A trailing {name} checksum must be announced by x-amz-sdk-checksum-algorithm.");
            Err(errors::invalid_request(message))
        }
        Some(announced) if announced != computed => Err(errors::bad_checksum(algorithm)),
        None if expected.algorithm.is_some() => Err(errors::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
             were found.",
        )),
        _ => Ok((md5, computed)),
    }
}

/// The checksum behind the bytes, if there is one.
fn trailing(body: &Body) -> Result<Option<Checksum>, ServiceError> {
    for algorithm in Algorithm::ALL {
        if let Some(text) = body.trailer(algorithm.header()) {
            let checksum = Checksum::parse(algorithm, &text);
            return checksum.map(Some).ok_or_else(|| errors::invalid_checksum(algorithm));
        }
    }
    Ok(None)
}

/// Where the bytes go.
enum Sink {
    Memory(BytesMut),
    Blob {
        writer: BlobWriter,
        /// What is not written yet.
        held: BytesMut,
    },
}

impl Sink {
    async fn take(self, blobs: &Blobs, piece: Bytes) -> Result<Self, StoreError> {
        match self {
            Self::Memory(mut held) => {
                held.extend_from_slice(&piece);
                if held.len() <= INLINE_BYTES_MAX {
                    return Ok(Self::Memory(held));
                }
                Ok(Self::Blob { writer: blobs.create().await?, held })
            }
            Self::Blob { mut writer, mut held } => {
                held.extend_from_slice(&piece);
                if held.len() >= WRITE_BYTES {
                    writer.write(held.split().freeze()).await?;
                }
                Ok(Self::Blob { writer, held })
            }
        }
    }

    async fn finish(self) -> Result<(Place, Bytes), StoreError> {
        match self {
            Self::Memory(held) => Ok((Place::Store, held.freeze())),
            Self::Blob { mut writer, held } => {
                if !held.is_empty() {
                    writer.write(held.freeze()).await?;
                }
                Ok((Place::Blob(writer.finish().await?), Bytes::new()))
            }
        }
    }
}
