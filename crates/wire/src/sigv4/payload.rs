//! What a signature says of the body: its hash, nothing, or that its chunks are signed one by one.

use std::fmt;

use http::HeaderName;

use super::claim::one_header;
use super::key::{Sha256, sha256_hex};
use super::{AuthError, Claim, RequestParts, Rules};

static CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The last line of a canonical request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadHash {
    /// The body is not covered.
    Unsigned,
    /// The body's SHA-256, in small hexadecimal.
    Sha256(String),
    /// The body comes as `aws-chunked`.
    Streaming(Streaming),
}

/// The ways to send `aws-chunked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// Each chunk signed.
    Signed,
    /// Each chunk signed, and the trailer.
    SignedTrailer,
    /// Nothing signed; a trailer with a checksum follows.
    UnsignedTrailer,
}

impl Streaming {
    const ALL: [Self; 3] = [Self::Signed, Self::SignedTrailer, Self::UnsignedTrailer];

    /// How `x-amz-content-sha256` says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}

impl PayloadHash {
    /// The hash of a body that is held whole.
    pub fn of(body: &[u8]) -> Self {
        Self::Sha256(sha256_hex(body))
    }

    /// How a canonical request says it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unsigned => UNSIGNED,
            Self::Sha256(hash) => hash,
            Self::Streaming(streaming) => streaming.as_str(),
        }
    }

    /// What the request's `x-amz-content-sha256` says; nothing if it has none.
    pub fn declared(parts: &RequestParts<'_>) -> Result<Option<Self>, AuthError> {
        let Some(value) = one_header(parts.headers, &CONTENT_HASH)? else { return Ok(None) };
        if value == UNSIGNED {
            return Ok(Some(Self::Unsigned));
        }
        if let Some(streaming) = Streaming::ALL.into_iter().find(|one| one.as_str() == value) {
            return Ok(Some(Self::Streaming(streaming)));
        }
        if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Some(Self::Sha256(value.into_owned())));
        }
        Err(AuthError::PayloadHashMalformed { value: value.into_owned() })
    }

    /// What a body that is not held whole was signed as: what the request declares, else nothing if it is
    /// presigned and the service leaves bodies out then.
    pub fn of_stream(parts: &RequestParts<'_>, claim: &Claim, rules: Rules) -> Result<Self, AuthError> {
        match Self::declared(parts)? {
            // A presigned URL is handed on: a header that its signer did not sign says nothing.
            Some(hash) if !claim.is_presigned() || claim.signs("x-amz-content-sha256") => Ok(hash),
            _ if claim.is_presigned() && rules.presigned_body_unsigned => Ok(Self::Unsigned),
            _ => Err(AuthError::PayloadHashMissing),
        }
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a body that flows past keeps its declared hash.
#[derive(Clone, Debug)]
pub struct PayloadCheck {
    declared: String,
    hasher: Sha256,
}

impl PayloadCheck {
    /// A check against a SHA-256 in hexadecimal.
    pub fn new(declared: impl Into<String>) -> Self {
        Self { declared: declared.into(), hasher: Sha256::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The verdict, after the last bytes.
    pub fn finish(self) -> Result<(), AuthError> {
        let computed = self.hasher.finish_hex();
        if self.declared.eq_ignore_ascii_case(&computed) {
            return Ok(());
        }
        Err(AuthError::PayloadMismatch { declared: self.declared, computed })
    }
}
