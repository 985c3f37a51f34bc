//! The check itself: the request's time, what its signature covers, and the signature.

use std::time::Duration;

use apus_time::Timestamp;

use super::canonical::{Spelling, bare_host};
use super::key::sha256_hex;
use super::{
    ALGORITHM, AuthError, Claim, Form, Mismatch, PayloadHash, RequestParts, Rules, Scope, Signature,
    SigningKey, canonical,
};

/// How far a client's clock may be off, either way.
pub const MAX_SKEW: Duration = Duration::from_mins(15);
/// The longest that a presigned request may hold: a week.
pub const MAX_EXPIRES: Duration = Duration::from_hours(7 * 24);

/// Headers named `x-amz-…` that need no signature: the first three enter it by other ways (the token by being
/// sealed for its access key), the last is added on the way.
const COVERED_OTHERWISE: [&str; 4] =
    ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-cf-id"];

/// A request that its access key's secret did sign.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The key of the day, region and service, for what follows the head.
    pub key: SigningKey,
    /// The request's signature, with which a chain of chunk signatures begins.
    pub seed: Signature,
    /// When it was signed.
    pub requested: Timestamp,
    /// What for.
    pub scope: Scope,
}

impl Claim {
    /// Checks the claim at the time `now` against a key that was derived from the secret of its access key for
    /// its scope.
    ///
    /// `payload` is what the last line of the canonical request says of the body: see [`PayloadHash`]. That the body
    /// keeps it is the caller's to check. The scope's region and service are [`Scope::check`]'s.
    pub fn verify(
        &self,
        key: &SigningKey,
        parts: &RequestParts<'_>,
        payload: &PayloadHash,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Verified, AuthError> {
        let time = self.requested.to_compact();
        self.scope.check_date(self.requested, &time)?;
        self.check_time(rules, now)?;
        self.check_coverage(parts)?;
        let mut first = None;
        for spelling in Spelling::ALL {
            if spelling.bare_host && !has_default_port(parts) {
                continue;
            }
            let request =
                canonical::request(parts, &self.signed_headers, payload.as_str(), rules.path, spelling);
            let text = string_to_sign(&time, &self.scope, &request);
            let seed = key.sign(text.as_bytes());
            if seed.matches(&self.signature) {
                let key = key.clone();
                return Ok(Verified { key, seed, requested: self.requested, scope: self.scope.clone() });
            }
            first.get_or_insert((request, text));
        }
        let (request, string_to_sign) = first.unwrap_or_default();
        Err(AuthError::Mismatch(Box::new(Mismatch {
            access_key: self.access_key.clone(),
            canonical_request: String::from_utf8_lossy(&request).into_owned(),
            string_to_sign,
            provided: self.signature.clone(),
        })))
    }

    fn check_time(&self, rules: Rules, now: Timestamp) -> Result<(), AuthError> {
        let requested = self.requested;
        if requested.since(now) > MAX_SKEW {
            let presigned = self.is_presigned();
            return Err(AuthError::TooNew { requested, now, allowed: MAX_SKEW, presigned });
        }
        let age = now.since(requested);
        match self.form {
            Form::Header if age > MAX_SKEW => Err(AuthError::TooOld { requested, now, allowed: MAX_SKEW }),
            Form::Presigned(None) if rules.presigned_expires => {
                Err(AuthError::IncompleteQuery { missing: vec!["X-Amz-Expires"] })
            }
            Form::Presigned(expires) if age > expires.unwrap_or(MAX_SKEW) => {
                Err(AuthError::Expired { requested, expires: expires.unwrap_or(MAX_SKEW), now })
            }
            Form::Header | Form::Presigned(_) => Ok(()),
        }
    }

    fn check_coverage(&self, parts: &RequestParts<'_>) -> Result<(), AuthError> {
        if !self.signs("host") {
            return Err(AuthError::HostNotSigned);
        }
        let unsigned = |name: &&str| {
            name.starts_with("x-amz-") && !COVERED_OTHERWISE.contains(name) && !self.signs(name)
        };
        let mut names: Vec<String> =
            parts.headers.keys().map(http::HeaderName::as_str).filter(unsigned).map(str::to_owned).collect();
        names.sort_unstable();
        if names.is_empty() { Ok(()) } else { Err(AuthError::HeadersNotSigned { names }) }
    }
}

/// What a request's signature signs: `time` is when it was made, in the compact form.
pub(super) fn string_to_sign(time: &str, scope: &Scope, canonical_request: &[u8]) -> String {
    [ALGORITHM, "\n", time, "\n", scope.as_str(), "\n", &sha256_hex(canonical_request)].concat()
}

fn has_default_port(parts: &RequestParts<'_>) -> bool {
    parts.headers.get(http::header::HOST).is_some_and(|host| bare_host(host.as_bytes()).is_some())
}
