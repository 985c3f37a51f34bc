//! Which access keys a listener accepts: sessions of roles, on the public one; one session, in a sandbox.

use apus_env::Env;
use apus_kernel::{BoxFuture, Credential, CredentialError, Credentials};
use apus_time::Timestamp;

use crate::InstanceKey;
use crate::access_key::TEMPORARY_PREFIX;
use crate::seal::Sealer;

/// Accepts the credentials that `AssumeRole` of this instance gave out.
#[derive(Clone)]
pub struct SessionCredentials {
    sealer: Sealer,
    env: Env,
}

impl SessionCredentials {
    /// Sessions sealed under that key.
    pub fn new(key: &InstanceKey, env: Env) -> Self {
        Self { sealer: key.sealer(), env }
    }

    fn find(
        &self,
        access_key: &str,
        session_token: Option<&str>,
        now: Timestamp,
    ) -> Result<Credential, CredentialError> {
        if !access_key.starts_with(TEMPORARY_PREFIX) {
            return Err(CredentialError::Unknown);
        }
        // A temporary key without its token is nobody's: S3 has a word of its own for that.
        let token = session_token.ok_or(CredentialError::Unknown)?;
        let session = self.sealer.open(token, access_key).map_err(|_| CredentialError::InvalidToken)?;
        if session.is_over(now) {
            return Err(CredentialError::Expired);
        }
        session.credential().ok_or(CredentialError::InvalidToken)
    }
}

impl Credentials for SessionCredentials {
    fn lookup<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async move { self.find(access_key, session_token, self.env.now()) })
    }
}

/// Accepts one session and nothing else: the credentials of a sandbox's listener. Root keys are refused
/// there, and so is every other session, however valid.
pub struct EnvironmentCredentials {
    access_key: String,
    sessions: SessionCredentials,
}

impl EnvironmentCredentials {
    /// The session with that access key.
    pub fn new(sessions: SessionCredentials, access_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), sessions }
    }
}

impl Credentials for EnvironmentCredentials {
    fn lookup<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        if access_key == self.access_key {
            self.sessions.lookup(access_key, session_token)
        } else {
            Box::pin(async { Err(CredentialError::Unknown) })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use apus_env::sim::Simulator;

    use super::*;
    use crate::DevelopmentCredentials;
    use crate::session::Session;

    const LIFE: Duration = Duration::from_mins(15);

    /// A listener's answer: whom the key makes the caller, or why not.
    async fn whom(listener: &impl Credentials, access_key: &str, token: Option<&str>) -> String {
        match listener.lookup(access_key, token).await {
            Ok(credential) => format!("{} with {}", credential.principal, credential.secret),
            Err(error) => format!("{error:?}"),
        }
    }

    fn issue(key: &InstanceKey, access_key: &str, now: Timestamp) -> String {
        let session = Session {
            access_key: access_key.into(),
            secret: "secret".into(),
            account: "123456789012".into(),
            role: "worker".into(),
            role_id: "AROAABCDEFGHIJKLMNOPQ".into(),
            name: "one".into(),
            issued_at_micros: now.as_micros(),
            expires_at_micros: (now + LIFE).as_micros(),
            policy: None,
        };
        key.sealer().seal(&session, [3; 24]).expect("short enough")
    }

    #[test]
    fn each_listener_accepts_its_own_keys_and_no_others() {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        let key = InstanceKey::from_bytes([1; 32]);
        let sessions = SessionCredentials::new(&key, env.clone());
        let public = DevelopmentCredentials::new(sessions.clone(), crate::DEVELOPMENT_SECRET);
        let (mine, other) = ("ASIAQRSTUVWXYZ234567", "ASIAAAAAAAAAAAAAAAAA");
        let sandbox = EnvironmentCredentials::new(sessions.clone(), mine);
        let (token, others) = (issue(&key, mine, env.now()), issue(&key, other, env.now()));
        let foreign = issue(&InstanceKey::from_bytes([2; 32]), mine, env.now());
        let (token, others, foreign) = (Some(&*token), Some(&*others), Some(&*foreign));
        let session = "arn:aws:sts::123456789012:assumed-role/worker/one with secret";
        let development = "arn:aws:iam::000000000000:root with test";
        let root = "arn:aws:iam::123456789012:root with test";
        for (access_key, token, at_public, at_sessions, at_sandbox) in [
            ("test", None, development, "Unknown", "Unknown"),
            ("123456789012", None, root, "Unknown", "Unknown"),
            ("test", token, "InvalidToken", "Unknown", "Unknown"),
            ("1234567890123", None, "Unknown", "Unknown", "Unknown"),
            ("AKIAIOSFODNN7EXAMPLE", None, "Unknown", "Unknown", "Unknown"),
            ("", None, "Unknown", "Unknown", "Unknown"),
            (mine, token, session, session, session),
            (mine, None, "Unknown", "Unknown", "Unknown"),
            (mine, Some("forged"), "InvalidToken", "InvalidToken", "InvalidToken"),
            (mine, others, "InvalidToken", "InvalidToken", "InvalidToken"),
            (mine, foreign, "InvalidToken", "InvalidToken", "InvalidToken"),
            (other, others, session, session, "Unknown"),
            (other, token, "InvalidToken", "InvalidToken", "Unknown"),
        ] {
            let answers = simulator.run(async {
                [
                    whom(&public, access_key, token).await,
                    whom(&sessions, access_key, token).await,
                    whom(&sandbox, access_key, token).await,
                ]
            });
            assert_eq!(answers, [at_public, at_sessions, at_sandbox], "{access_key} {token:?}");
        }
    }

    #[test]
    fn a_session_ends_at_its_last_instant_and_not_before() {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        let key = InstanceKey::from_bytes([1; 32]);
        let sessions = SessionCredentials::new(&key, env.clone());
        let access_key = "ASIAQRSTUVWXYZ234567";
        let token = issue(&key, access_key, env.now());
        let end = env.now() + LIFE;
        let at = |now| sessions.find(access_key, Some(&token), now).err();
        assert_eq!(at(end - Duration::from_micros(1)), None);
        assert_eq!(at(end), Some(CredentialError::Expired));
        env.advance(LIFE);
        let answer = simulator.run(whom(&sessions, access_key, Some(&token)));
        assert_eq!(answer, "Expired");
    }
}
