//! Signing keys and the signatures they make.

use std::fmt;

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Scope;
use super::scope::TERMINATOR;

/// A secret narrowed to one day, region and service, ready to sign.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Narrows a secret.
    pub fn derive(secret: &str, scope: &Scope) -> Self {
        let mut start = Vec::with_capacity(4 + secret.len());
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret.as_bytes());
        let date = hmac(&start, scope.date.as_bytes());
        let region = hmac(&date, scope.region.as_bytes());
        let service = hmac(&region, scope.service.as_bytes());
        Self(keyed(&hmac(&service, TERMINATOR.as_bytes())))
    }

    /// Signs a string to sign; of a browser's form upload, that is its encoded policy.
    pub fn sign(&self, string_to_sign: &[u8]) -> Signature {
        Signature(finish(self.0.clone(), string_to_sign))
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
        digits(&self.0).as_flattened().ct_eq(sent.as_bytes()).into()
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
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(|byte| pair(*byte).map(char::from)));
    text
}

/// A digest in small hexadecimal, two digits a byte.
fn digits(digest: &[u8; 32]) -> [[u8; 2]; 32] {
    digest.map(pair)
}

fn pair(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    finish(keyed(key), message)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn finish(mut mac: Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// SHA-256 in base 64, as messages name what they do not repeat.
pub(super) fn sha256_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes))
}
