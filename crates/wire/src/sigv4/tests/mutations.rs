//! What is signed verifies; whatever is changed after that is refused.

use std::time::Duration;

use apus_time::Timestamp;
use http::HeaderValue;
use proptest::prelude::*;

use super::super::canonical::{self, Spelling};
use super::super::{AuthError, Claim, Credentials, PayloadHash, Rules, Scope, presign, sign};
use super::{Request, at};

const NOW: &str = "20250304T050607Z";
const SECRET: &str = "c2VjcmV0";

fn credentials(token: Option<&str>) -> Credentials<'_> {
    Credentials { access_key: "AKIDEXAMPLE", secret: SECRET, session_token: token }
}

fn scope() -> Scope {
    Scope::new(at(NOW), "us-east-1", "svc")
}

fn now() -> Timestamp {
    at(NOW)
}

prop_compose! {
    fn requests()(
        method in "GET|PUT|POST|DELETE",
        path in "(/([a-z0-9]|%20|%2B|[+!$']|ü|[.]{1,2}){0,6}){0,4}",
        query in "(&|[a-z][a-z0-9]{0,3}(=([a-z0-9]|%2F|%C3%BC|[+*'/=]){0,6})?){0,3}",
        note in "[ -~]{0,12}",
        more in "[a-z ]{0,6}",
        port in "|:80|:443|:4566",
        body in prop::collection::vec(any::<u8>(), 0..32),
    ) -> Request {
        Request::new(&method, &format!("/{}?{query}", path.trim_start_matches('/')))
            .with("host", &format!("a.localhost{port}"))
            .with("content-type", "text/plain")
            .with("x-amz-meta-note", &note)
            .with("x-amz-meta-note", &more)
            .body(&body)
    }
}

fn sign_in_headers(request: &Request, rules: Rules, token: Option<&str>) -> Request {
    let payload = PayloadHash::of(&request.body);
    let mut request = request.clone().with("x-amz-content-sha256", &payload.to_string());
    let mut headers = request.headers.clone();
    sign(&request.parts(), &mut headers, &credentials(token), &scope(), &payload, rules, now())
        .expect("signed");
    request.headers = headers;
    request
}

fn sign_in_query(request: &Request, rules: Rules, token: Option<&str>) -> Request {
    let payload =
        if rules.presigned_body_unsigned { PayloadHash::Unsigned } else { PayloadHash::of(&request.body) };
    let hour = Duration::from_hours(1);
    let query = presign(&request.parts(), &credentials(token), &scope(), &payload, rules, now(), hour);
    Request { query, ..request.clone() }
}

/// Another letter or digit than the one that stands there.
fn other(byte: u8) -> u8 {
    match byte {
        b'9' | b'z' => byte - 1,
        b'Z' => b'Y',
        _ => byte + 1,
    }
}

/// The text with its letter or digit number `at` changed, outside of percent-encoded bytes; nothing if it has none.
fn flip(text: &str, at: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let encoded = |i: usize| (i >= 1 && bytes[i - 1] == b'%') || (i >= 2 && bytes[i - 2] == b'%');
    let places: Vec<usize> =
        (0..bytes.len()).filter(|i| bytes[*i].is_ascii_alphanumeric() && !encoded(*i)).collect();
    let place = *places.get(at.checked_rem(places.len())?)?;
    bytes[place] = other(bytes[place]);
    String::from_utf8(bytes).ok()
}

/// A signed request changed in one place; nothing if it has no such place.
fn mutate(request: &Request, what: usize, at: usize) -> Option<(String, Request)> {
    let mut changed = request.clone();
    let name = match what {
        0 => {
            changed.method = if request.method == "GET" { "PUT".into() } else { "GET".into() };
            "method".to_owned()
        }
        1 => {
            changed.path = flip(&request.path, at)?;
            "path".into()
        }
        2 => {
            changed.query = flip(&request.query, at)?;
            "query".into()
        }
        3 => {
            changed.query = format!("{}&added=1", request.query);
            "a parameter added".into()
        }
        4 => {
            let byte = at.checked_rem(request.body.len())?;
            changed.body[byte] ^= 1 << (at % 8);
            "body".into()
        }
        _ => {
            let names: Vec<_> = request.headers.keys().cloned().collect();
            let name = names.get(at % names.len())?;
            let value = flip(request.headers[name].to_str().ok()?, at / names.len())?;
            changed.headers.insert(name, HeaderValue::from_str(&value).ok()?);
            format!("header {name}")
        }
    };
    Some((name, changed))
}

/// A server's verdict, which knows one access key: that is covered by the secret it leads to, not by the signature.
fn verdict(request: &Request, rules: Rules) -> Result<(), AuthError> {
    let claim = Claim::parse(&request.parts())?;
    let known = claim.is_some_and(|claim| claim.access_key == "AKIDEXAMPLE");
    request.verify(if known { SECRET } else { "nobody's" }, rules, now()).map(drop)
}

proptest! {
    #[test]
    fn what_is_signed_verifies(request in requests(), s3: bool, token in prop::option::of("[ -~]{1,9}")) {
        let rules = if s3 { Rules::S3 } else { Rules::COMMON };
        let token = token.as_deref();
        prop_assert_eq!(sign_in_headers(&request, rules, token).verify(SECRET, rules, now()).err(), None);
        prop_assert_eq!(sign_in_query(&request, rules, token).verify(SECRET, rules, now()).err(), None);
    }

    #[test]
    fn every_change_is_refused(
        request in requests(), s3: bool, in_query: bool, what in 0_usize..8, at in 0_usize..2000,
    ) {
        let rules = if s3 { Rules::S3 } else { Rules::COMMON };
        let signed = if in_query {
            sign_in_query(&request, rules, Some("token"))
        } else {
            sign_in_headers(&request, rules, Some("token"))
        };
        // A presigned S3 request leaves its body open: that is what it is for.
        prop_assume!(!(what == 4 && in_query && s3));
        if let Some((name, changed)) = mutate(&signed, what, at) {
            // `/0/..` and `/1/..` are one path where paths are normalised: nothing was changed.
            let seen = |path| canonical::path(path, rules.path, Spelling::ALL[0]).into_owned();
            let same_path = seen(&changed.path) == seen(&signed.path);
            prop_assume!(changed.path == signed.path || !same_path);
            let verdict = verdict(&changed, rules);
            prop_assert!(verdict.is_err(), "{name}: {changed:?}");
        }
    }

    #[test]
    fn every_bit_of_a_signature_counts(bit in 0_usize..512) {
        let mut signed = sign_in_headers(&Request::new("GET", "/").with("host", "h"), Rules::S3, None);
        let mut value = signed.headers["authorization"].as_bytes().to_vec();
        let start = value.len() - 64;
        value[start + bit / 8] ^= 1 << (bit % 8);
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            signed.headers.insert("authorization", value);
            prop_assert!(signed.verify(SECRET, Rules::S3, now()).is_err());
        }
    }

    #[test]
    fn nothing_panics(authorization in ".{0,80}", query in ".{0,80}", path in ".{0,40}") {
        let mut request = Request::new("GET", "/").with("host", "h").with("x-amz-date", NOW);
        if let Ok(value) = HeaderValue::from_bytes(format!("AWS4-HMAC-SHA256 {authorization}").as_bytes()) {
            request.headers.insert("authorization", value);
        }
        (request.path, request.query) = (path, query);
        prop_assert!(request.verify(SECRET, Rules::S3, now()).is_err());
    }
}
