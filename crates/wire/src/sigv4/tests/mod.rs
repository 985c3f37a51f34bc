//! The story of signatures: vectors of others, recorded requests, round trips, and every way to be refused.

mod chunks;
mod documented;
mod mutations;
mod recorded;
mod refusals;
mod suite;

use apus_time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{AuthError, Claim, PayloadHash, RequestParts, Rules, Verified};

/// A request that a test holds whole.
#[derive(Clone, Debug, Default)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    fn parts(&self) -> RequestParts<'_> {
        RequestParts { method: &self.method, path: &self.path, query: &self.query, headers: &self.headers }
    }

    /// What a server does with it, the secret at hand.
    fn verify(&self, secret: &str, rules: Rules, now: Timestamp) -> Result<Verified, AuthError> {
        let parts = self.parts();
        let claim = Claim::parse(&parts)?.ok_or(AuthError::Missing)?;
        let payload = match rules {
            Rules::S3 => PayloadHash::of_stream(&parts, &claim, rules)?,
            _ => PayloadHash::of(&self.body),
        };
        let verified =
            claim.verify(&super::SigningKey::derive(secret, &claim.scope), &parts, &payload, rules, now)?;
        if let PayloadHash::Sha256(declared) = payload {
            let mut check = super::PayloadCheck::new(declared);
            check.push(&self.body);
            check.finish()?;
        }
        Ok(verified)
    }
}

fn at(compact: &str) -> Timestamp {
    Timestamp::parse_compact(compact).expect("a test's date")
}
