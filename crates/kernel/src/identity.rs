//! Credentials to callers: the port through which a listener learns whom an access key belongs to.

use std::sync::Arc;

use crate::access::BoxFuture;
use crate::{AccountId, Principal};

/// The secret behind an access key, and whom it makes the caller.
#[derive(Clone)]
pub struct Credential {
    /// What the request must be signed with.
    pub secret: String,
    /// Who calls with it.
    pub principal: Principal,
    /// The account that the caller calls for.
    pub account: AccountId,
    /// The session policy that the session was made with, as JSON: it bounds what the principal's policies allow.
    pub session_policy: Option<Arc<str>>,
}

/// Why an access key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// Nobody's, not accepted at this listener, or temporary and without its session token.
    Unknown,
    /// Its session token is forged or of another key.
    InvalidToken,
    /// Its session token's time is over.
    Expired,
    /// The instance could not look it up.
    Unavailable,
}

/// Looks up access keys. What is accepted depends on the listener that holds the port, never on the peer's address.
pub trait Credentials: Send + Sync + 'static {
    /// The credential of that access key with that session token.
    fn lookup<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>>;
}
