//! Who signed a request: its claim, the secret that the listener knows for it, and the proof.

use apus_kernel::{Caller, CredentialError, Region};
use apus_schema::{Auth, Common, Protocol, ServiceError};
use apus_time::Timestamp;
use apus_wire::sigv4::{
    AuthError, ChunkDecoder, Claim, Dialect, PayloadCheck, PayloadHash, RequestParts, Rules, SigningKeys,
    Streaming, Verified,
};
use apus_wire::{Payload, Route};
use bytes::Bytes;
use http::request::Parts;

use crate::Listener;
use crate::hosts::HOST_STYLE_SERVICE;
use crate::payload::Promise;

/// The length of the data inside an `aws-chunked` body.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The headers that follow an `aws-chunked` body.
const TRAILER: &str = "x-amz-trailer";

/// What a request says of its signature: nothing of it is proved.
pub(crate) struct Claimed(Result<Option<Claim>, AuthError>);

/// Who called, and what the body must keep.
pub(crate) struct Identity {
    pub(crate) caller: Caller,
    pub(crate) promise: Promise,
}

impl Claimed {
    pub(crate) fn read(parts: &Parts) -> Self {
        Self(Claim::parse(&request_parts(parts)))
    }

    /// The service that the request was signed for.
    pub(crate) fn service(&self) -> Option<&str> {
        Some(self.0.as_ref().ok()?.as_ref()?.scope.service())
    }

    /// Proves the claim. A request that claims nothing is anonymous where that is allowed.
    pub(crate) async fn verify(
        self,
        listener: &Listener,
        keys: &SigningKeys,
        route: &Route,
        parts: &Parts,
        payload: &Payload,
        now: Timestamp,
    ) -> Result<Identity, ServiceError> {
        let dialect = dialect(route);
        match self.0 {
            Err(refused) => Err(refusal(&refused, dialect)),
            Ok(None) => anonymous(route, parts, dialect),
            Ok(Some(claim)) => {
                let service = route.service.signing_name;
                let checked = prove(claim, listener, keys, service, parts, payload, now).await;
                checked.map_err(|refused| refused.into_error(dialect))
            }
        }
    }
}

/// Who signed a request to a front, for that service.
pub(crate) async fn signed(
    listener: &Listener,
    keys: &SigningKeys,
    service: &str,
    parts: &Parts,
    body: &Bytes,
    now: Timestamp,
) -> Result<Caller, ServiceError> {
    let claim = match Claimed::read(parts).0 {
        Ok(Some(claim)) => claim,
        Ok(None) => return Err(refusal(&AuthError::Missing, Dialect::RestJson)),
        Err(refused) => return Err(refusal(&refused, Dialect::RestJson)),
    };
    let payload = Payload::Bytes(body.clone());
    let proved = prove(claim, listener, keys, service, parts, &payload, now).await;
    let identity = proved.map_err(|refused| refused.into_error(Dialect::RestJson))?;
    match identity.promise {
        Promise::None => Ok(identity.caller),
        _ => Err(ServiceError::common(Common::Malformed, "The request's body must be signed as a whole.")),
    }
}

/// Why a claim was not proved.
enum Unproved {
    Signature(AuthError),
    Credential(CredentialError),
}

impl From<AuthError> for Unproved {
    fn from(error: AuthError) -> Self {
        Self::Signature(error)
    }
}

impl Unproved {
    fn into_error(self, dialect: Dialect) -> ServiceError {
        let common = match self {
            Self::Signature(refused) => return refusal(&refused, dialect),
            Self::Credential(CredentialError::Unknown) => Common::UnknownAccessKey,
            Self::Credential(CredentialError::InvalidToken) => Common::InvalidSessionToken,
            Self::Credential(CredentialError::Expired) => Common::ExpiredSessionToken,
            Self::Credential(CredentialError::Unavailable) => Common::Unavailable,
        };
        // No text: the codec has each service's own.
        ServiceError::common(common, "")
    }
}

async fn prove(
    claim: Claim,
    listener: &Listener,
    keys: &SigningKeys,
    service: &str,
    parts: &Parts,
    payload: &Payload,
    now: Timestamp,
) -> Result<Identity, Unproved> {
    claim.scope.check(claim.scope.region(), &[service])?;
    let region: Region = claim.scope.region().parse().map_err(|_| AuthError::WrongRegion {
        got: claim.scope.region().to_owned(),
        expected: Region::DEFAULT.to_owned(),
    })?;
    let credential = listener
        .credentials
        .lookup(&claim.access_key, claim.session_token.as_deref())
        .await
        .map_err(Unproved::Credential)?;
    let rules = if service == HOST_STYLE_SERVICE { Rules::S3 } else { Rules::COMMON };
    let request = request_parts(parts);
    // What the body is known to be is no promise any more.
    let (hash, is_kept) = match payload {
        Payload::Bytes(bytes) => match PayloadHash::declared(&request)? {
            Some(hash) => (hash, false),
            None if claim.is_presigned() && rules.presigned_body_unsigned => (PayloadHash::Unsigned, true),
            None => (PayloadHash::of(bytes), true),
        },
        Payload::Stream(_) => (PayloadHash::of_stream(&request, &claim, rules)?, false),
    };
    let key = keys.derive(&claim.access_key, &credential.secret, &claim.scope);
    let verified = claim.verify(&key, &request, &hash, rules, now)?;
    let promise = match (payload, hash) {
        _ if is_kept => Promise::None,
        (Payload::Bytes(bytes), PayloadHash::Sha256(declared)) => {
            let mut check = PayloadCheck::new(declared);
            check.push(bytes);
            check.finish()?;
            Promise::None
        }
        (_, hash) => promise(hash, Some(verified), parts),
    };
    let caller = Caller::signed(credential, claim.access_key, region);
    Ok(Identity { caller, promise })
}

/// An unsigned request: where the operation wants no signature, and where a resource may be public.
fn anonymous(route: &Route, parts: &Parts, dialect: Dialect) -> Result<Identity, ServiceError> {
    if route.operation.auth != Auth::None && !is_host_style(route) {
        return Err(refusal(&AuthError::Missing, dialect));
    }
    let declared =
        PayloadHash::declared(&request_parts(parts)).map_err(|refused| refusal(&refused, dialect))?;
    let caller = Caller::anonymous(Region::default());
    Ok(Identity { caller, promise: declared.map_or(Promise::None, |hash| promise(hash, None, parts)) })
}

/// What the body must keep, by what the request says of it.
fn promise(hash: PayloadHash, verified: Option<Verified>, parts: &Parts) -> Promise {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    match hash {
        PayloadHash::Unsigned => Promise::None,
        PayloadHash::Sha256(declared) => Promise::Hash(Box::new(PayloadCheck::new(declared))),
        PayloadHash::Streaming(streaming) => {
            let length = header(DECODED_LENGTH).and_then(|text| text.parse().ok());
            let trailers: Vec<&str> =
                header(TRAILER).into_iter().flat_map(|list| list.split(',')).map(str::trim).collect();
            let decoder = match (streaming, verified) {
                (Streaming::Signed | Streaming::SignedTrailer, Some(verified)) => {
                    ChunkDecoder::signed(streaming, verified, length, &trailers)
                }
                _ => ChunkDecoder::unsigned(length, &trailers),
            };
            Promise::Chunks { decoder: Box::new(decoder), length }
        }
    }
}

fn refusal(refused: &AuthError, dialect: Dialect) -> ServiceError {
    let refusal = refused.refusal(dialect);
    let query_code = refused.refusal(Dialect::Query).code;
    let error =
        ServiceError::named(refusal.code, refusal.status, refusal.message).with_query_code(query_code);
    refusal.details.into_iter().fold(error, |error, (name, text)| error.with_element(name, text))
}

fn dialect(route: &Route) -> Dialect {
    match route.protocol {
        _ if is_host_style(route) => Dialect::S3,
        Protocol::Query => Dialect::Query,
        Protocol::RestJson => Dialect::RestJson,
        _ => Dialect::Json,
    }
}

/// Paths are keys, bodies flow, and anybody may call: the service whose resources have hosts.
fn is_host_style(route: &Route) -> bool {
    route.service.signing_name == HOST_STYLE_SERVICE
}

fn request_parts(parts: &Parts) -> RequestParts<'_> {
    RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    }
}
