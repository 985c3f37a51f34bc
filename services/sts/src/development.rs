//! The root keys of a development instance. With the well-known secret they guard nothing: only a loopback listener may
//! hold them, and only where functions do not reach it, which is the wiring's business.

use apus_kernel::{AccountId, BoxFuture, Credential, CredentialError, Credentials, Principal};

use crate::SessionCredentials;

/// The access key of account 000000000000's root.
const ACCESS_KEY: &str = "test";
/// The well-known secret of every development root key.
pub const DEVELOPMENT_SECRET: &str = "test";

/// Accepts `test` as the root of account 000000000000, any twelve digits as the root of that account, both
/// with one secret; and sessions of roles.
pub struct DevelopmentCredentials {
    sessions: SessionCredentials,
    secret: String,
}

impl DevelopmentCredentials {
    /// Root keys with that secret, and these sessions.
    pub fn new(sessions: SessionCredentials, secret: impl Into<String>) -> Self {
        Self { sessions, secret: secret.into() }
    }
}

impl Credentials for DevelopmentCredentials {
    fn lookup<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        let Some(account) = root_account(access_key) else {
            return self.sessions.lookup(access_key, session_token);
        };
        let answer = match session_token {
            // A lasting key has no token; one that comes along belongs to other credentials.
            Some(_) => Err(CredentialError::InvalidToken),
            None => Ok(Credential {
                secret: self.secret.clone(),
                principal: Principal::Root(account),
                account,
                session_policy: None,
            }),
        };
        Box::pin(async { answer })
    }
}

/// The account whose root that development key belongs to.
fn root_account(access_key: &str) -> Option<AccountId> {
    if access_key == ACCESS_KEY { Some(AccountId::DEVELOPMENT) } else { access_key.parse().ok() }
}
