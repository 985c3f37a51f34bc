//! Signing keys and the signatures they make.

use std::fmt;

use base64::Engine;
use ring::{digest, hmac};
use subtle::{Choice, ConstantTimeEq};

use super::Scope;
use super::scope::TERMINATOR;

/// A secret narrowed to one day, region and service, ready to sign.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Narrows a secret.
    pub fn derive(secret: &str, scope: &Scope) -> Self {
        let mut start = Vec::with_capacity(4 + secret.len());
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret.as_bytes());
        let date = keyed(&start, scope.date().as_bytes());
        let region = keyed(date.as_ref(), scope.region().as_bytes());
        let service = keyed(region.as_ref(), scope.service().as_bytes());
        let last = keyed(service.as_ref(), TERMINATOR.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, last.as_ref()))
    }

    /// Signs a string to sign; of a browser's form upload, that is its encoded policy.
    pub fn sign(&self, string_to_sign: &[u8]) -> Signature {
        let mut signature = [0; digest::SHA256_OUTPUT_LEN];
        signature.copy_from_slice(hmac::sign(&self.0, string_to_sign).as_ref());
        Signature(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// What a signing key made of a string.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Whether it is what a client sent, in a time that does not depend on where they differ.
    pub fn matches(&self, sent: &str) -> bool {
        let own = digits(&self.0);
        let (own, sent) = (own.as_flattened().as_chunks::<8>(), sent.as_bytes().as_chunks::<8>());
        if own.0.len() != sent.0.len() || own.1.len() != sent.1.len() {
            return false;
        }
        let words =
            own.0.iter().zip(sent.0).map(|(own, sent)| (u64::from_ne_bytes(*own), u64::from_ne_bytes(*sent)));
        words.fold(Choice::from(1), |same, (own, sent)| same & own.ct_eq(&sent)).into()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// SHA-256 in small hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<[u8; 2]> = bytes.iter().map(|byte| pair(*byte)).collect();
    String::from_utf8(digits.into_flattened()).expect("digits are ASCII")
}

/// A digest in small hexadecimal, two digits a byte.
fn digits(digest: &[u8; 32]) -> [[u8; 2]; 32] {
    digest.map(pair)
}

fn pair(byte: u8) -> [u8; 2] {
    /// Of every byte: looking them up takes a fraction of what putting them together takes.
    static PAIRS: [[u8; 2]; 256] = {
        let digits = b"0123456789abcdef";
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < pairs.len() {
            pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
            byte += 1;
        }
        pairs
    };
    PAIRS[usize::from(byte)]
}

fn keyed(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

/// A SHA-256 whose bytes come one after another.
#[derive(Clone)]
pub(super) struct Sha256(digest::Context);

impl Sha256 {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In small hexadecimal.
    pub(super) fn finish_hex(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256(..)")
    }
}

/// SHA-256 in base 64, as messages name what they do not repeat.
pub(super) fn sha256_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(digest::digest(&digest::SHA256, bytes))
}
