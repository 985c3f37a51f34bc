//! `aws-chunked`: a body in chunks, each with its size, most with a signature, some with a trailer of headers.

mod chain;
mod decoder;
mod encoder;

use std::fmt;

pub use decoder::ChunkDecoder;
pub use encoder::ChunkEncoder;

/// The longest line before a chunk: a size, a signature, and room for extensions.
pub const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// The most that a trailer may hold.
pub const MAX_TRAILER_BYTES: usize = 16 * 1024;
/// The least that a chunk other than the last may hold (S3's rule).
pub const MIN_CHUNK_BYTES: u64 = 8 * 1024;

/// Why a body in chunks is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkError {
    /// A chunk is not `size[;chunk-signature=…]`, CRLF, data, CRLF.
    MalformedChunk {
        /// Which, from 0.
        chunk: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A chunk's signature is another.
    WrongSignature {
        /// Which, from 0.
        chunk: u64,
    },
    /// The trailer's signature is another, or missing.
    WrongTrailerSignature,
    /// A chunk that is not the last is too small.
    TooSmall {
        /// Which, from 0.
        chunk: u64,
        /// Its size.
        bytes: u64,
    },
    /// The trailer is not lines of `name:value`.
    MalformedTrailer {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The trailer has other headers than `x-amz-trailer` announced.
    WrongTrailers {
        /// Announced.
        announced: Vec<String>,
        /// Received.
        received: Vec<String>,
    },
    /// The data is not as long as `x-amz-decoded-content-length` says.
    WrongLength {
        /// Announced.
        announced: u64,
        /// Received so far.
        received: u64,
    },
    /// The body ended too early.
    Truncated,
    /// Something follows the end.
    AfterEnd,
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedChunk { chunk, problem } => write!(f, "chunk {chunk}: {problem}"),
            Self::WrongSignature { chunk } => write!(f, "chunk {chunk}: its signature does not match"),
            Self::WrongTrailerSignature => f.write_str("the trailer's signature does not match"),
            Self::TooSmall { chunk, bytes } => {
                write!(
                    f,
                    "chunk {chunk}: {bytes} bytes, where only the last chunk may have less than {MIN_CHUNK_BYTES}"
                )
            }
            Self::MalformedTrailer { problem } => write!(f, "trailer: {problem}"),
            Self::WrongTrailers { announced, received } => {
                write!(f, "trailer: x-amz-trailer announced {announced:?}, received {received:?}")
            }
            Self::WrongLength { announced, received } => {
                write!(f, "x-amz-decoded-content-length announced {announced} bytes, received {received}")
            }
            Self::Truncated => f.write_str("the body ended before its last chunk"),
            Self::AfterEnd => f.write_str("bytes follow the end of the body"),
        }
    }
}

impl std::error::Error for ChunkError {}
