//! Why a request's signature is refused: facts. The words for them are `wording`'s.

use std::time::Duration;

use apus_time::Timestamp;

use super::ChunkError;

/// Why a request is refused before anybody asks what its caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// Not signed at all, where a signature is needed.
    Missing,
    /// Signed in its headers and in its query.
    TwoMechanisms,
    /// An `Authorization` header of another kind, as `Basic`.
    UnsupportedScheme {
        /// Its first word.
        scheme: String,
    },
    /// A Signature Version 4 of another algorithm, as `AWS4-ECDSA-P256-SHA256`.
    UnsupportedAlgorithm {
        /// The algorithm.
        algorithm: String,
        /// Whether the query says so.
        presigned: bool,
    },
    /// A part of the `Authorization` header has no equals sign.
    MalformedPart {
        /// The part.
        part: String,
    },
    /// The `Authorization` header, or its date, lacks parts.
    IncompleteHeader {
        /// The missing ones of `Credential`, `Signature`, `SignedHeaders`, `X-Amz-Date`.
        missing: Vec<&'static str>,
        /// The header.
        authorization: String,
    },
    /// A presigned query lacks parameters.
    IncompleteQuery {
        /// Their names.
        missing: Vec<&'static str>,
    },
    /// What may stand once stands more than once.
    Repeated {
        /// The header or parameter.
        name: &'static str,
    },
    /// A credential that is not `key/date/region/service/aws4_request`.
    MalformedCredential {
        /// As sent.
        credential: String,
        /// Whether in the query.
        presigned: bool,
    },
    /// A scope that does not end in `aws4_request`.
    WrongTerminator {
        /// What it ends in.
        got: String,
        /// Whether in the query.
        presigned: bool,
    },
    /// A date in no format that is accepted.
    MalformedDate {
        /// As sent.
        date: String,
        /// Whether in the query.
        presigned: bool,
    },
    /// An `X-Amz-Expires` that is refused.
    MalformedExpires(ExpiresProblem),
    /// Signed for another region.
    WrongRegion {
        /// The scope's.
        got: String,
        /// The endpoint's.
        expected: String,
    },
    /// Signed for another service.
    WrongService {
        /// The scope's.
        got: String,
        /// The endpoint's.
        expected: String,
    },
    /// Signed with another day's key.
    WrongDate {
        /// The scope's day.
        scope: String,
        /// When the request says to be made.
        requested: Timestamp,
    },
    /// Made longer ago than a signature in headers holds.
    TooOld {
        /// When it says to be made.
        requested: Timestamp,
        /// The time here.
        now: Timestamp,
        /// How far they may be apart.
        allowed: Duration,
    },
    /// Made further in the future than clocks may differ.
    TooNew {
        /// When it says to be made.
        requested: Timestamp,
        /// The time here.
        now: Timestamp,
        /// How far they may be apart.
        allowed: Duration,
        /// Whether presigned.
        presigned: bool,
    },
    /// A presigned request whose time is over.
    Expired {
        /// When it was made.
        requested: Timestamp,
        /// How long it held.
        expires: Duration,
        /// The time here.
        now: Timestamp,
    },
    /// The host is not among the signed headers.
    HostNotSigned,
    /// Headers that must be signed if present are not.
    HeadersNotSigned {
        /// Their names.
        names: Vec<String>,
    },
    /// The signature is another.
    Mismatch(Box<Mismatch>),
    /// No `x-amz-content-sha256`, where one is needed.
    PayloadHashMissing,
    /// An `x-amz-content-sha256` that is neither a hash nor one of the words for it.
    PayloadHashMalformed {
        /// As sent.
        value: String,
    },
    /// The body is not the one that was signed.
    PayloadMismatch {
        /// The signed hash.
        declared: String,
        /// The body's.
        computed: String,
    },
    /// A body in chunks is refused.
    Chunk(ChunkError),
}

/// What is wrong with an `X-Amz-Expires`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresProblem {
    /// No number.
    NotANumber,
    /// Below zero.
    Negative,
    /// Zero, which no presigned request can keep.
    Zero,
    /// Over a week.
    TooLong,
}

/// What a client needs to find out why its signature is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The access key.
    pub access_key: String,
    /// The canonical request, as the server sees it.
    pub canonical_request: String,
    /// The string that should have been signed.
    pub string_to_sign: String,
    /// The signature that came.
    pub provided: String,
}

impl From<ChunkError> for AuthError {
    fn from(error: ChunkError) -> Self {
        Self::Chunk(error)
    }
}

impl std::fmt::Display for AuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.refusal(super::Dialect::Query).message)
    }
}

impl std::error::Error for AuthError {}
