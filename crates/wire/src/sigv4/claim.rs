//! Who says to have signed a request, and how: read from its `Authorization` header or its query.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use apus_time::Timestamp;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderName};

use super::canonical::SIGNATURE_PARAMETER;
use super::scope::TERMINATOR;
use super::{ALGORITHM, AuthError, ExpiresProblem, RequestParts, Scope, SignedHeaders, parameters};
use crate::split::{cut, split};

static AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
static SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a signed request says of its signature. Nothing of it is proved before [`Claim::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The access key.
    pub access_key: String,
    /// The day, region and service that it was signed for.
    pub scope: Scope,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// When it says to have been signed.
    pub requested: Timestamp,
    /// The signed headers, small and sorted.
    pub signed_headers: SignedHeaders,
    /// Where the signature stands.
    pub form: Form,
    pub(super) signature: String,
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query, for as long as it says.
    Presigned(Option<Duration>),
}

impl Claim {
    /// Reads the claim of a request; nothing of an anonymous one.
    pub fn parse(parts: &RequestParts<'_>) -> Result<Option<Self>, AuthError> {
        let authorization = one_header(parts.headers, &AUTHORIZATION)?;
        let query = auth_parameters(parts.query)?;
        let presigned = ["X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE_PARAMETER]
            .iter()
            .any(|name| query.contains_key(name));
        match (authorization, presigned) {
            (None, false) => Ok(None),
            (Some(_), true) => Err(AuthError::TwoMechanisms),
            (Some(authorization), false) => Self::of_header(&authorization, parts.headers).map(Some),
            (None, true) => Self::of_query(&query, parts.headers).map(Some),
        }
    }

    /// Whether the signature stands in the query.
    pub fn is_presigned(&self) -> bool {
        matches!(self.form, Form::Presigned(_))
    }

    /// Whether a header is covered by the signature.
    pub fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    fn of_header(authorization: &str, headers: &HeaderMap) -> Result<Self, AuthError> {
        let authorization = authorization.trim();
        let (scheme, rest) = authorization.split_once([' ', '\t']).unwrap_or((authorization, ""));
        if scheme != ALGORITHM {
            return Err(if scheme.starts_with("AWS4-") {
                AuthError::UnsupportedAlgorithm { algorithm: scheme.to_owned(), presigned: false }
            } else {
                AuthError::UnsupportedScheme { scheme: scheme.to_owned() }
            });
        }
        let (mut credential, mut signature, mut signed_headers) = (None, None, None);
        for part in split(rest, b',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, Some(value)) = cut(part, b'=') else {
                return Err(AuthError::MalformedPart { part: part.to_owned() });
            };
            let (slot, name) = match name.trim() {
                "Credential" => (&mut credential, "Credential"),
                "Signature" => (&mut signature, "Signature"),
                "SignedHeaders" => (&mut signed_headers, "SignedHeaders"),
                _ => continue,
            };
            if slot.replace(value.trim()).is_some() {
                return Err(AuthError::Repeated { name });
            }
        }
        let date = match one_header(headers, &AMZ_DATE)? {
            Some(date) => Some(date),
            None => one_header(headers, &DATE)?,
        };
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (credential, signature, signed_headers, &date)
        else {
            let missing = [
                ("Credential", credential.is_none()),
                ("Signature", signature.is_none()),
                ("SignedHeaders", signed_headers.is_none()),
                ("X-Amz-Date", date.is_none()),
            ];
            return Err(AuthError::IncompleteHeader {
                missing: missing.into_iter().filter_map(|(name, absent)| absent.then_some(name)).collect(),
                authorization: authorization.to_owned(),
            });
        };
        let (access_key, scope) = parse_credential(credential, false)?;
        Ok(Self {
            access_key,
            scope,
            session_token: one_header(headers, &SECURITY_TOKEN)?.map(Cow::into_owned),
            requested: parse_date(date, false)?,
            signed_headers: SignedHeaders::parse(signed_headers),
            form: Form::Header,
            signature: signature.to_owned(),
        })
    }

    fn of_query(query: &BTreeMap<&'static str, String>, headers: &HeaderMap) -> Result<Self, AuthError> {
        const NEEDED: [&str; 5] =
            ["X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE_PARAMETER, "X-Amz-Date", "X-Amz-SignedHeaders"];
        let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !query.contains_key(name)).collect();
        if !missing.is_empty() {
            return Err(AuthError::IncompleteQuery { missing });
        }
        let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        if get("X-Amz-Algorithm") != ALGORITHM {
            let algorithm = get("X-Amz-Algorithm").to_owned();
            return Err(AuthError::UnsupportedAlgorithm { algorithm, presigned: true });
        }
        let (access_key, scope) = parse_credential(get("X-Amz-Credential"), true)?;
        let expires = query.get("X-Amz-Expires").map(|text| parse_expires(text)).transpose()?;
        let session_token = match query.get("X-Amz-Security-Token") {
            Some(token) => Some(token.clone()),
            None => one_header(headers, &SECURITY_TOKEN)?.map(Cow::into_owned),
        };
        Ok(Self {
            access_key,
            scope,
            session_token,
            requested: parse_date(get("X-Amz-Date"), true)?,
            signed_headers: SignedHeaders::parse(get("X-Amz-SignedHeaders")),
            form: Form::Presigned(expires),
            signature: get(SIGNATURE_PARAMETER).to_owned(),
        })
    }
}

/// A header that may stand once. Bytes that are no UTF-8 cannot match anything that is compared with it.
pub(super) fn one_header<'h>(
    headers: &'h HeaderMap,
    name: &'static HeaderName,
) -> Result<Option<Cow<'h, str>>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text.trim()),
        Err(_) => Cow::Owned(String::from_utf8_lossy(value.as_bytes()).trim().to_owned()),
    });
    if values.next().is_some() { Err(AuthError::Repeated { name: name.as_str() }) } else { Ok(value) }
}

/// The query's parameters of a signature, decoded.
fn auth_parameters(query: &str) -> Result<BTreeMap<&'static str, String>, AuthError> {
    const NAMES: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        SIGNATURE_PARAMETER,
        "X-Amz-SignedHeaders",
    ];
    let mut found = BTreeMap::new();
    for (name, value) in parameters::pairs(query) {
        let Some(name) = NAMES.into_iter().find(|known| *known == name) else { continue };
        let value = String::from_utf8_lossy(&parameters::decode(value)).into_owned();
        if found.insert(name, value).is_some() {
            return Err(AuthError::Repeated { name });
        }
    }
    Ok(found)
}

fn parse_credential(credential: &str, presigned: bool) -> Result<(String, Scope), AuthError> {
    let malformed = || AuthError::MalformedCredential { credential: credential.to_owned(), presigned };
    let (access_key, scope) = cut(credential, b'/');
    let (scope, terminator) = scope.and_then(Scope::parse).ok_or_else(malformed)?;
    if access_key.is_empty() {
        return Err(malformed());
    }
    if terminator != TERMINATOR {
        return Err(AuthError::WrongTerminator { got: terminator.to_owned(), presigned });
    }
    Ok((access_key.to_owned(), scope))
}

/// ISO 8601's basic form, or, as a `Date` header has it, HTTP's.
fn parse_date(date: &str, presigned: bool) -> Result<Timestamp, AuthError> {
    let parsed = Timestamp::parse_compact(date);
    let parsed = if presigned { parsed } else { parsed.or_else(|_| Timestamp::parse_http_date(date)) };
    parsed.map_err(|_| AuthError::MalformedDate { date: date.to_owned(), presigned })
}

fn parse_expires(text: &str) -> Result<Duration, AuthError> {
    let problem = match text.parse::<i64>() {
        Err(_) => ExpiresProblem::NotANumber,
        Ok(..0) => ExpiresProblem::Negative,
        Ok(0) => ExpiresProblem::Zero,
        Ok(seconds) if seconds as u64 > super::MAX_EXPIRES.as_secs() => ExpiresProblem::TooLong,
        Ok(seconds) => return Ok(Duration::from_secs(seconds as u64)),
    };
    Err(AuthError::MalformedExpires(problem))
}
