//! The installation's own certificate authority: sandboxes trust it, so that clients which go by a name of AWS's
//! reach the platform over TLS.
//!
//! [`Authority::load_or_create`] keeps its key in the data directory; [`Authority::server`] speaks TLS for a set of
//! names, with certificates made when first asked for. Knows no clock: what it signs is valid while it exists,
//! for whoever trusts the authority trusts this installation, and its keys never leave it.

mod leaves;
mod store;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
pub use rustls::ServerConfig;

/// The years in which certificates are valid. Neither end depends on when they are made, so that a clock that
/// was moved makes none invalid.
const YEARS: (i32, i32) = (2025, 2055);

/// The authority of one installation.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// Why there is no authority, in a line for people.
#[derive(Debug)]
pub struct AuthorityError(String);

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuthorityError {}

impl Authority {
    /// The authority that is kept in that directory; a new one if there is none. The directory is made.
    pub fn load_or_create(directory: &Path) -> Result<Self, AuthorityError> {
        let (key, certificate) = if let Some(kept) = store::load(directory)? {
            kept
        } else {
            let key = new_key()?;
            let certificate = params(&key)?.self_signed(&key).map_err(|error| unmade(&error))?.pem();
            store::save(directory, &key, &certificate)?;
            (key, certificate)
        };
        let params = params(&key)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its certificate, as PEM: what sandboxes trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// TLS for those names and all beneath them, in lower case. Clients that name no host are taken to mean
    /// `127.0.0.1` or `localhost`; those that name another are refused.
    pub fn server(self: &Arc<Self>, names: Vec<String>) -> Result<Arc<ServerConfig>, AuthorityError> {
        leaves::server(Arc::clone(self), names)
    }
}

fn new_key() -> Result<KeyPair, AuthorityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| unmade(&error))
}

/// What the authority says of itself: all of it follows from its key.
fn params(key: &KeyPair) -> Result<CertificateParams, AuthorityError> {
    let mut params = valid(Vec::new())?;
    // Two installations on one machine are told apart; the first byte says how the point is written.
    let point = key.public_key_raw().get(1..5).and_then(|bytes| bytes.try_into().ok());
    let mark = u32::from_be_bytes(point.unwrap_or_default());
    params.distinguished_name = named(&format!("Apus installation {mark:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn valid(names: Vec<String>) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(names).map_err(|error| unmade(&error))?;
    params.not_before = rcgen::date_time_ymd(YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(YEARS.1, 1, 1);
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn unmade(error: &rcgen::Error) -> AuthorityError {
    AuthorityError(format!("a certificate could not be made: {error}"))
}
