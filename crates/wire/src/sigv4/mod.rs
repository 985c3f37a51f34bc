//! AWS Signature Version 4: whether a request was signed with a secret, and for signing requests of our own.
//!
//! Verifying takes two steps, as the secret is looked up between them: [`Claim::parse`] reads who says to have
//! signed, [`Claim::verify`] checks it. What follows a verified head in chunks is checked by a [`ChunkDecoder`].
//!
//! Pure: `now` is an argument, secrets come from the caller, session tokens are opaque. It knows no service;
//! what differs between them is [`Rules`], and how a refusal is worded is a [`Dialect`].

mod canonical;
mod chunked;
mod claim;
mod error;
mod key;
mod keys;
mod parameters;
mod payload;
mod scope;
mod sign;
mod signed_headers;
#[cfg(test)]
mod tests;
mod verify;
mod wording;

use http::HeaderMap;

pub use chunked::{
    ChunkDecoder, ChunkEncoder, ChunkError, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, MIN_CHUNK_BYTES,
};
pub use claim::{Claim, Form};
pub use error::{AuthError, ExpiresProblem, Mismatch};
pub use key::{Signature, SigningKey};
pub use keys::SigningKeys;
pub use payload::{PayloadCheck, PayloadHash, Streaming};
pub use scope::Scope;
pub use sign::{Credentials, presign, sign};
pub use signed_headers::SignedHeaders;
pub use verify::{MAX_EXPIRES, MAX_SKEW, Verified};
pub use wording::{Dialect, Refusal};

/// The only algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request's head exactly as it was sent: before any rewriting of its path.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded; empty if there is none.
    pub query: &'a str,
    /// The headers, `host` among them (for HTTP/2 the caller adds it from `:authority`).
    pub headers: &'a HeaderMap,
}

/// What differs between services in what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How the path is written.
    pub path: PathRule,
    /// Whether a presigned request must say when it expires; the others default to [`MAX_SKEW`].
    pub presigned_expires: bool,
    /// Whether a presigned request leaves its body unsigned.
    pub presigned_body_unsigned: bool,
}

impl Rules {
    /// S3's.
    pub const S3: Self =
        Self { path: PathRule::Verbatim, presigned_expires: true, presigned_body_unsigned: true };
    /// Everybody else's.
    pub const COMMON: Self =
        Self { path: PathRule::Normalized, presigned_expires: false, presigned_body_unsigned: false };
}

/// How a path is written in a canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// Encoded once, every segment kept: a path is an object's key.
    Verbatim,
    /// Dot segments and empty segments removed, then what was sent is encoded once more.
    Normalized,
}
