//! How a refusal is worded: the codes, statuses and messages of AWS, in one table per dialect.
//!
//! Messages of the query and JSON protocols are as IAM, STS and SQS answer; S3 has its own codes throughout.

use std::time::Duration;

use apus_time::Timestamp;

use super::error::{AuthError, ExpiresProblem, Mismatch};
use super::key::sha256_base64;
use super::{ChunkError, MIN_CHUNK_BYTES};

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// awsQuery: `SignatureDoesNotMatch`.
    Query,
    /// awsJson, rpc-v2-cbor: `InvalidSignatureException`.
    Json,
    /// restJson: as awsJson, but what is incomplete is forbidden, too.
    RestJson,
    /// S3.
    S3,
}

/// An answer to a refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
    /// Further elements that S3 puts beside the message.
    pub details: Vec<(&'static str, String)>,
}

impl AuthError {
    /// The answer to a client.
    pub fn refusal(&self, dialect: Dialect) -> Refusal {
        match dialect {
            Dialect::S3 => s3(self),
            Dialect::Query => common(self, false),
            Dialect::Json => common(self, true),
            Dialect::RestJson => {
                let refusal = common(self, true);
                let incomplete = refusal.code == "IncompleteSignatureException";
                Refusal { status: if incomplete { 403 } else { refusal.status }, ..refusal }
            }
        }
    }
}

fn common(error: &AuthError, json: bool) -> Refusal {
    let (kind, message) = common_words(error);
    let (query_code, json_code, query_status, json_status) = match kind {
        Kind::Missing => ("MissingAuthenticationToken", "MissingAuthenticationTokenException", 403, 403),
        Kind::Incomplete => ("IncompleteSignature", "IncompleteSignatureException", 400, 400),
        Kind::Mismatch => ("SignatureDoesNotMatch", "InvalidSignatureException", 403, 403),
        Kind::Body => ("InvalidParameterValue", "ValidationException", 400, 400),
    };
    let (code, status) = if json { (json_code, json_status) } else { (query_code, query_status) };
    Refusal { code, status, message, details: Vec::new() }
}

enum Kind {
    Missing,
    Incomplete,
    Mismatch,
    Body,
}

fn common_words(error: &AuthError) -> (Kind, String) {
    use Kind::{Body, Incomplete, Mismatch as No, Missing};
    match error {
        AuthError::Missing => (Missing, "Request is missing Authentication Token".into()),
        AuthError::TwoMechanisms => {
            (Incomplete, "Only one of the Authorization header and X-Amz-Algorithm may be specified.".into())
        }
        AuthError::UnsupportedScheme { scheme } => {
            (Incomplete, format!("Unsupported authorization type: '{scheme}'."))
        }
        AuthError::UnsupportedAlgorithm { algorithm, .. } => {
            (Incomplete, format!("Unsupported AWS 'algorithm': '{algorithm}'."))
        }
        AuthError::MalformedPart { part } => (
            Incomplete,
            format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and \
                 encoded with Base64): '{}'.",
                sha256_base64(part.as_bytes())
            ),
        ),
        AuthError::IncompleteHeader { missing, authorization } => {
            let mut text = String::new();
            for name in missing {
                match *name {
                    "X-Amz-Date" => text.push_str(
                        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
                    ),
                    name => text.extend(["Authorization header requires '", name, "' parameter. "]),
                }
            }
            let hash = sha256_base64(authorization.as_bytes());
            (Incomplete, format!("{text}(Hashed with SHA-256 and encoded with Base64) Authorization={hash}"))
        }
        AuthError::IncompleteQuery { missing } => {
            let mut parts = String::new();
            for name in missing {
                parts.extend(["AWS query-string parameters must include '", name, "'. "]);
            }
            (Incomplete, format!("{parts}Re-examine the query-string parameters."))
        }
        AuthError::Repeated { name } => (Incomplete, format!("'{name}' must not be repeated.")),
        AuthError::MalformedCredential { credential, .. } => (
            Incomplete,
            format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
                 got '{credential}'"
            ),
        ),
        AuthError::WrongTerminator { got, .. } => {
            (No, format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{got}'."))
        }
        AuthError::MalformedDate { date, .. } => (
            Incomplete,
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ),
        ),
        AuthError::MalformedExpires(problem) => (Incomplete, expires_words(*problem).into()),
        AuthError::WrongRegion { got, .. } => {
            (No, format!("Credential should be scoped to a valid region, not '{got}'. "))
        }
        AuthError::WrongService { expected, .. } => {
            (No, format!("Credential should be scoped to correct service: '{expected}'. "))
        }
        AuthError::WrongDate { scope, requested } => {
            let stamp = requested.to_compact();
            let compact = requested.to_compact();
            let day = super::scope::day(&compact);
            (
                No,
                format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                     '{scope}' != '{day}', from '{stamp}'."
                ),
            )
        }
        AuthError::TooOld { requested, now, allowed } => (No, expired_words(*requested, *now, *allowed)),
        AuthError::Expired { requested, now, expires } => (No, expired_words(*requested, *now, *expires)),
        AuthError::TooNew { requested, now, allowed, .. } => (
            No,
            format!(
                "Signature not yet current: {} is still later than {} ({} + {} min.)",
                requested.to_compact(),
                (*now + *allowed).to_compact(),
                now.to_compact(),
                allowed.as_secs() / 60
            ),
        ),
        AuthError::HostNotSigned => {
            (No, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into())
        }
        AuthError::HeadersNotSigned { names } => {
            (No, format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", names.join("', '")))
        }
        AuthError::Mismatch(facts) => (
            No,
            format!(
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details.\n\n\
                 The Canonical String for this request should have been\n'{}'\n\n\
                 The String-to-Sign should have been\n'{}'\n",
                facts.canonical_request, facts.string_to_sign
            ),
        ),
        AuthError::PayloadHashMissing => (Incomplete, "'x-amz-content-sha256' is required.".into()),
        AuthError::PayloadHashMalformed { value } => {
            (Incomplete, format!("'x-amz-content-sha256' is not a SHA-256 hash: '{value}'."))
        }
        AuthError::PayloadMismatch { declared, computed } => {
            (No, format!("'x-amz-content-sha256' is '{declared}', but the body's hash is '{computed}'."))
        }
        AuthError::Chunk(error) => (Body, error.to_string()),
    }
}

fn expired_words(requested: Timestamp, now: Timestamp, allowed: Duration) -> String {
    format!(
        "Signature expired: {} is now earlier than {} ({} - {} min.)",
        requested.to_compact(),
        (now - allowed).to_compact(),
        now.to_compact(),
        allowed.as_secs() / 60
    )
}

fn expires_words(problem: ExpiresProblem) -> &'static str {
    match problem {
        ExpiresProblem::NotANumber => "X-Amz-Expires should be a number",
        ExpiresProblem::Negative => "X-Amz-Expires must be non-negative",
        ExpiresProblem::Zero => "X-Amz-Expires must be positive",
        ExpiresProblem::TooLong => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
             than 604800 seconds"
        }
    }
}

fn s3(error: &AuthError) -> Refusal {
    let say = |code, status, message: String| Refusal { code, status, message, details: Vec::new() };
    let header = |text: String| {
        say("AuthorizationHeaderMalformed", 400, format!("The authorization header is malformed; {text}"))
    };
    let query = |text: String| say("AuthorizationQueryParametersError", 400, text);
    match error {
        AuthError::Missing => say("AccessDenied", 403, "Access Denied".into()),
        AuthError::TwoMechanisms => say(
            "InvalidArgument",
            400,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified"
                .into(),
        ),
        AuthError::UnsupportedScheme { scheme } if scheme == "AWS" => say(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.".into(),
        ),
        AuthError::UnsupportedScheme { .. } => {
            say("InvalidArgument", 400, "Unsupported Authorization Type".into())
        }
        AuthError::UnsupportedAlgorithm { presigned: true, .. } => {
            query("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".into())
        }
        AuthError::UnsupportedAlgorithm { algorithm, .. } => {
            header(format!("the algorithm \"{algorithm}\" is not supported; use AWS4-HMAC-SHA256."))
        }
        AuthError::IncompleteHeader { missing, .. } if missing[..] == ["X-Amz-Date"] => say(
            "AccessDenied",
            403,
            "AWS authentication requires a valid Date or x-amz-date header".into(),
        ),
        AuthError::MalformedPart { .. } | AuthError::IncompleteHeader { .. } => header(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.".into(),
        ),
        AuthError::IncompleteQuery { .. } => query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
             X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
                .into(),
        ),
        AuthError::Repeated { name } if name.starts_with("X-Amz-") => {
            query(format!("{name} must not be repeated."))
        }
        AuthError::Repeated { name } => header(format!("{name} must not be repeated.")),
        AuthError::MalformedCredential { presigned: false, .. } => header(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".".into(),
        ),
        AuthError::MalformedCredential { .. } => query(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .into(),
        ),
        AuthError::WrongTerminator { got, presigned } => {
            let text = format!("incorrect terminal \"{got}\". This endpoint uses \"aws4_request\".");
            if *presigned {
                query(format!("Error parsing the X-Amz-Credential parameter; {text}"))
            } else {
                header(text)
            }
        }
        AuthError::MalformedDate { presigned: true, .. } => {
            query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".into())
        }
        AuthError::MalformedDate { .. } => {
            say("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header".into())
        }
        AuthError::MalformedExpires(problem) => query(expires_words(*problem).into()),
        AuthError::WrongRegion { got, expected } => Refusal {
            details: vec![("Region", expected.clone())],
            ..header(format!("the region '{got}' is wrong; expecting '{expected}'"))
        },
        AuthError::WrongService { got, expected } => {
            header(format!("incorrect service \"{got}\". This endpoint belongs to \"{expected}\"."))
        }
        AuthError::WrongDate { scope, requested } => header(format!(
            "Invalid credential date \"{scope}\". This date is not the same as X-Amz-Date: \"{}\".",
            super::scope::day(&requested.to_compact())
        )),
        AuthError::TooNew { presigned: true, .. } => {
            say("AccessDenied", 403, "Request is not yet valid".into())
        }
        AuthError::TooOld { requested, now, allowed } | AuthError::TooNew { requested, now, allowed, .. } => {
            Refusal {
                details: vec![
                    ("RequestTime", requested.to_compact()),
                    ("ServerTime", now.to_iso8601()),
                    ("MaxAllowedSkewMilliseconds", allowed.as_millis().to_string()),
                ],
                ..say(
                    "RequestTimeTooSkewed",
                    403,
                    "The difference between the request time and the current time is too large.".into(),
                )
            }
        }
        AuthError::Expired { requested, expires, now } => Refusal {
            details: vec![
                ("X-Amz-Expires", expires.as_secs().to_string()),
                ("Expires", (*requested + *expires).to_iso8601()),
                ("ServerTime", now.to_iso8601()),
            ],
            ..say("AccessDenied", 403, "Request has expired".into())
        },
        AuthError::HostNotSigned => unsigned_headers("host"),
        AuthError::HeadersNotSigned { names } => unsigned_headers(&names.join(", ")),
        AuthError::Mismatch(facts) => s3_mismatch(facts),
        AuthError::PayloadHashMissing => {
            say("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256".into())
        }
        AuthError::PayloadHashMalformed { value } => Refusal {
            details: vec![
                ("ArgumentName", "x-amz-content-sha256".to_owned()),
                ("ArgumentValue", value.clone()),
            ],
            ..say(
                "InvalidArgument",
                400,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
                 sha256 value."
                    .into(),
            )
        },
        AuthError::PayloadMismatch { declared, computed } => Refusal {
            details: vec![
                ("ClientComputedContentSHA256", declared.clone()),
                ("S3ComputedContentSHA256", computed.clone()),
            ],
            ..say(
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.".into(),
            )
        },
        AuthError::Chunk(error) => s3_chunk(error),
    }
}

fn unsigned_headers(names: &str) -> Refusal {
    Refusal {
        code: "AccessDenied",
        status: 403,
        message: "There were headers present in the request which were not signed".into(),
        details: vec![("HeadersNotSigned", names.to_owned())],
    }
}

const S3_MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
                           key and signing method.";

fn s3_mismatch(facts: &Mismatch) -> Refusal {
    Refusal {
        code: "SignatureDoesNotMatch",
        status: 403,
        message: S3_MISMATCH.into(),
        details: vec![
            ("AWSAccessKeyId", facts.access_key.clone()),
            ("StringToSign", facts.string_to_sign.clone()),
            ("SignatureProvided", facts.provided.clone()),
            ("StringToSignBytes", spaced_hex(facts.string_to_sign.as_bytes())),
            ("CanonicalRequest", facts.canonical_request.clone()),
            ("CanonicalRequestBytes", spaced_hex(facts.canonical_request.as_bytes())),
        ],
    }
}

fn s3_chunk(error: &ChunkError) -> Refusal {
    let (code, status, message) = match error {
        ChunkError::WrongSignature { .. } | ChunkError::WrongTrailerSignature => {
            ("SignatureDoesNotMatch", 403, S3_MISMATCH.to_owned())
        }
        ChunkError::TooSmall { .. } => (
            "InvalidChunkSizeError",
            403,
            format!("Only the last chunk is allowed to have a size less than {MIN_CHUNK_BYTES} bytes"),
        ),
        ChunkError::Truncated | ChunkError::WrongLength { .. } => (
            "IncompleteBody",
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header.".to_owned(),
        ),
        ChunkError::MalformedTrailer { .. } | ChunkError::WrongTrailers { .. } => (
            "MalformedTrailerError",
            400,
            "The request contained trailing data that was not well-formed or did not conform to our published \
             schema."
                .to_owned(),
        ),
        ChunkError::MalformedChunk { .. } | ChunkError::AfterEnd => {
            ("InvalidRequest", 400, format!("The aws-chunked body is malformed: {error}."))
        }
    };
    Refusal { code, status, message, details: Vec::new() }
}

fn spaced_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
