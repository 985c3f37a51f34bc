//! Signing: for presigned URLs that the platform hands out, for requests of its own, and for tests.

use std::time::Duration;

use apus_time::Timestamp;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::canonical::Spelling;
use super::verify::string_to_sign;
use super::{
    ALGORITHM, PayloadHash, RequestParts, Rules, Scope, SignedHeaders, SigningKey, Verified, canonical,
    parameters,
};

/// What to sign with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
}

/// Headers that change on their way.
const NEVER_SIGNED: [&str; 5] = ["authorization", "connection", "expect", "user-agent", "x-amzn-trace-id"];

/// Signs a request in its headers: adds `x-amz-date`, `x-amz-security-token` and `authorization`, and signs every
/// header that is there. `parts.headers` is not read.
///
/// Nothing if the credentials hold characters that no header may hold.
pub fn sign(
    parts: &RequestParts<'_>,
    headers: &mut HeaderMap,
    credentials: &Credentials<'_>,
    scope: &Scope,
    payload: &PayloadHash,
    rules: Rules,
    now: Timestamp,
) -> Option<Verified> {
    let text = |text: &str| HeaderValue::from_str(text).ok();
    headers.insert(HeaderName::from_static("x-amz-date"), text(&now.to_compact())?);
    if let Some(token) = credentials.session_token {
        headers.insert(HeaderName::from_static("x-amz-security-token"), text(token)?);
    }
    headers.remove(AUTHORIZATION);
    let signed = names(headers);
    let parts = RequestParts { headers, ..*parts };
    let verified = seal(&parts, &signed, credentials, scope, payload, rules, now);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={}",
        credentials.access_key, signed, verified.seed
    );
    headers.insert(AUTHORIZATION, text(&authorization)?);
    Some(verified)
}

/// Signs a request in its query, for so long; gives the query with the signature. Every header of `parts` is signed.
pub fn presign(
    parts: &RequestParts<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope,
    payload: &PayloadHash,
    rules: Rules,
    now: Timestamp,
    expires: Duration,
) -> String {
    let signed = names(parts.headers);
    let mut query = parts.query.to_owned();
    let mut add = |name: &str, value: &str| {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&parameters::encode(value.as_bytes()));
    };
    add("X-Amz-Algorithm", ALGORITHM);
    add("X-Amz-Credential", &format!("{}/{scope}", credentials.access_key));
    add("X-Amz-Date", &now.to_compact());
    add("X-Amz-Expires", &expires.as_secs().to_string());
    if let Some(token) = credentials.session_token {
        add("X-Amz-Security-Token", token);
    }
    add("X-Amz-SignedHeaders", signed.as_str());
    let seed =
        seal(&RequestParts { query: &query, ..*parts }, &signed, credentials, scope, payload, rules, now)
            .seed;
    format!("{query}&{}={seed}", canonical::SIGNATURE_PARAMETER)
}

fn names(headers: &HeaderMap) -> SignedHeaders {
    SignedHeaders::of(headers.keys().map(HeaderName::as_str).filter(|name| !NEVER_SIGNED.contains(name)))
}

fn seal(
    parts: &RequestParts<'_>,
    signed: &SignedHeaders,
    credentials: &Credentials<'_>,
    scope: &Scope,
    payload: &PayloadHash,
    rules: Rules,
    now: Timestamp,
) -> Verified {
    let request = canonical::request(parts, signed, &payload.to_string(), rules.path, Spelling::ALL[0]);
    let key = SigningKey::derive(credentials.secret, scope);
    let seed = key.sign(string_to_sign(&now.to_compact(), scope, &request).as_bytes());
    Verified { key, seed, requested: now, scope: scope.clone() }
}
