//! Session tokens: a session, sealed under the instance's key.
//!
//! A token is base64 (URL-safe, without padding) of a version, a nonce and the session encrypted and
//! authenticated with XChaCha20-Poly1305, whose nonces are long enough to be drawn at random. The access
//! key is bound to it as associated data. So a session is stored nowhere, survives a restart, and can
//! be neither read nor changed nor joined to another key by who holds it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::session::Session;

/// Random bytes for one token.
pub(crate) const NONCE_BYTES: usize = 24;
/// Bytes of an instance's key.
pub(crate) const KEY_BYTES: usize = 32;
/// The longest token that is looked at; ours end below it. AWS keeps its own below 4,096 letters as well.
pub(crate) const TOKEN_LENGTH_MAX: usize = 4_096;

/// The first byte of every token. A new layout takes the next number, and old tokens stay readable until they expire.
const VERSION: u8 = 1;
/// Keeps tokens apart from whatever else an instance's key may come to seal.
const PURPOSE: &[u8] = b"apus sts session 1\0";

/// Seals and opens tokens.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

/// A token that this instance has not sealed for that access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOurs;

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// The session's token; nothing if it is longer than [`TOKEN_LENGTH_MAX`].
    pub(crate) fn seal(&self, session: &Session, nonce: [u8; NONCE_BYTES]) -> Option<String> {
        let plain = minicbor::to_vec(session).ok()?;
        let payload = Payload { msg: &plain, aad: &associated(&session.access_key) };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).ok()?;
        let token = URL_SAFE_NO_PAD.encode([&[VERSION], &nonce[..], &sealed].concat());
        (token.len() <= TOKEN_LENGTH_MAX).then_some(token)
    }

    /// The session in a token that came with that access key.
    pub(crate) fn open(&self, token: &str, access_key: &str) -> Result<Session, NotOurs> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(NotOurs);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| NotOurs)?;
        let Some((&VERSION, rest)) = bytes.split_first() else { return Err(NotOurs) };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(NotOurs)?;
        let payload = Payload { msg: sealed, aad: &associated(access_key) };
        let plain = self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| NotOurs)?;
        let session: Session = minicbor::decode(&plain).map_err(|_| NotOurs)?;
        if session.access_key == access_key { Ok(session) } else { Err(NotOurs) }
    }
}

fn associated(access_key: &str) -> Vec<u8> {
    [PURPOSE, access_key.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sessions() -> impl Strategy<Value = Session> {
        let times = (any::<i64>(), any::<i64>());
        let names = ("ASIA[A-Z2-7]{16}", "[!-~]{40}", "[0-9]{12}", "[a-zA-Z0-9+=,.@_-]{1,64}");
        (names, "AROA[A-Z2-7]{17}", "[a-zA-Z0-9+=,.@_-]{2,64}", times, proptest::option::of("\\PC{0,500}"))
            .prop_map(|((access_key, secret, account, role), role_id, name, (issued, expires), policy)| {
                Session {
                    access_key,
                    secret,
                    account,
                    role,
                    role_id,
                    name,
                    issued_at_micros: issued,
                    expires_at_micros: expires,
                    policy,
                }
            })
    }

    proptest! {
        #[test]
        fn a_token_says_what_was_sealed(session in sessions(), key: [u8; KEY_BYTES], nonce: [u8; NONCE_BYTES]) {
            let sealer = Sealer::new(&key);
            let token = sealer.seal(&session, nonce).expect("short enough");
            prop_assert!(sealer.open(&token, &session.access_key).is_ok_and(|opened| opened == session));
            prop_assert!(!token.contains(&session.secret));
        }

        #[test]
        fn a_token_of_another_instance_or_access_key_is_refused(
            session in sessions(), key: [u8; KEY_BYTES], other: [u8; KEY_BYTES], nonce: [u8; NONCE_BYTES],
            other_access_key in "ASIA[A-Z2-7]{16}",
        ) {
            prop_assume!(key != other && session.access_key != other_access_key);
            let token = Sealer::new(&key).seal(&session, nonce).expect("short enough");
            prop_assert!(Sealer::new(&other).open(&token, &session.access_key).is_err());
            prop_assert!(Sealer::new(&key).open(&token, &other_access_key).is_err());
        }

        #[test]
        fn a_text_that_we_did_not_seal_is_refused(text in "\\PC{0,200}", key: [u8; KEY_BYTES]) {
            prop_assert!(Sealer::new(&key).open(&text, "ASIAAAAAAAAAAAAAAAAA").is_err());
        }
    }

    fn session(policy: Option<String>) -> Session {
        Session {
            access_key: "ASIAQRSTUVWXYZ234567".into(),
            secret: "s".repeat(40),
            account: "000000000000".into(),
            role: "worker".into(),
            role_id: "AROAABCDEFGHIJKLMNOPQ".into(),
            name: "one".into(),
            issued_at_micros: 1,
            expires_at_micros: 2,
            policy,
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let (sealer, session) = (Sealer::new(&[7; KEY_BYTES]), session(Some("{}".into())));
        let token = sealer.seal(&session, [9; NONCE_BYTES]).expect("short enough");
        let bytes = URL_SAFE_NO_PAD.decode(&token).expect("base64");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert!(sealer.open(&changed, &session.access_key).is_err(), "bit {bit} of the bytes");
        }
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(sealer.open(&changed, &session.access_key).is_err(), "bit {bit} of the letters");
        }
        for cut in 0..token.len() {
            assert!(sealer.open(&token[..cut], &session.access_key).is_err(), "cut at {cut}");
        }
        assert!(sealer.open(&format!("{token}A"), &session.access_key).is_err());
    }

    #[test]
    fn the_longest_session_policy_fits_a_token() {
        let sealer = Sealer::new(&[7; KEY_BYTES]);
        let token = sealer.seal(&session(Some("p".repeat(2_048))), [9; NONCE_BYTES]);
        assert!(token.is_some());
        assert!(sealer.seal(&session(Some("p".repeat(4_096))), [9; NONCE_BYTES]).is_none());
    }
}
