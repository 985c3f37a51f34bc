//! Signatures, by which subscribers know that a message came from here: the instance's key, its certificate, and
//! what is signed (<https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>).
//!
//! The key is made when something is first signed. Version 1 is RSA over SHA-1, version 2 over SHA-256.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use apus_env::Env;
use apus_store::{Keyspace, Store, Table};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minicbor::{Decode, Encode};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyUsagePurpose, PKCS_RSA_SHA256, PublicKeyData};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, oneshot};

use crate::errors::Failure;

/// What the path of a certificate begins with.
pub(crate) const CERTIFICATE_PATH: &str = "/SimpleNotificationService-";
/// The key's length, as AWS's is.
const KEY_BITS: usize = 2_048;
/// Signatures that are remembered: the subscribers of one message mostly get the same one.
const REMEMBERED_MAX: usize = 64;
/// The years in which the certificate is valid. Neither end depends on when it is made.
const YEARS: (i32, i32) = (2025, 2055);

/// By what a subscriber verifies a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// `1` or `2`.
    pub(crate) version: u8,
    /// Base64.
    pub(crate) signature: String,
    /// Where the certificate is.
    pub(crate) certificate_url: String,
}

/// The certificate that subscribers fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// `/SimpleNotificationService-….pem`
    pub(crate) path: String,
    pub(crate) pem: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct KeyRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    pkcs1: Vec<u8>,
    #[n(1)]
    certificate_pem: String,
}

/// Signs for the instance.
pub(crate) struct Signer {
    env: Env,
    store: Store,
    /// The URL that subscribers reach the platform at, without a trailing slash.
    base_url: String,
    key: OnceCell<Key>,
    remembered: Mutex<VecDeque<([u8; 32], String)>>,
}

struct Key {
    private: RsaPrivateKey,
    certificate: Certificate,
}

impl Signer {
    pub(crate) fn new(env: Env, store: Store, base_url: String) -> Self {
        Self { env, store, base_url, key: OnceCell::new(), remembered: Mutex::default() }
    }

    /// Signs what [`to_sign`] put together.
    pub(crate) async fn sign(&self, version: u8, text: &str) -> Result<Signed, Failure> {
        let key = self.key().await?;
        let certificate_url = format!("{}{}", self.base_url, key.certificate.path);
        let name = Sha256::new().chain_update([version]).chain_update(text).finalize().into();
        if let Some(signature) = self.recall(&name) {
            return Ok(Signed { version, signature, certificate_url });
        }
        let signed = match version {
            2 => key.private.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)),
            _ => key.private.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(text)),
        };
        let signature = STANDARD.encode(signed.map_err(|error| Failure::Failed(error.to_string()))?);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.pop_front();
        }
        remembered.push_back((name, signature.clone()));
        drop(remembered);
        Ok(Signed { version, signature, certificate_url })
    }

    /// The certificate that verifies them.
    pub(crate) async fn certificate(&self) -> Result<Certificate, Failure> {
        Ok(self.key().await?.certificate.clone())
    }

    fn recall(&self, name: &[u8; 32]) -> Option<String> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.iter().find(|(known, _)| known == name).map(|(_, signature)| signature.clone())
    }

    async fn key(&self) -> Result<&Key, Failure> {
        self.key.get_or_try_init(|| async { read(&self.load_or_create().await?) }).await
    }

    async fn load_or_create(&self) -> Result<KeyRecord, Failure> {
        let table = Table::<KeyRecord>::new(Keyspace::global("instance", "sns").sub(("signing-key",)));
        let table = &table;
        let kept = self.store.read(|tx| async move { table.get(&tx, ()).await }).await?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let made = self.make().await?;
        let made = &made;
        let kept = self.store.transact(|tx| async move {
            if let Some(kept) = table.get(&tx, ()).await? {
                return Ok(kept);
            }
            table.put(&tx, (), made);
            Ok::<_, Failure>(made.clone())
        });
        kept.await
    }

    /// Makes a key, beside what else is done: it takes a moment.
    async fn make(&self) -> Result<KeyRecord, Failure> {
        let (answer, answered) = oneshot::channel();
        let mut chance = Chance(self.env.clone());
        let _task = self.env.spawn_thread("signing key", async move {
            let made = RsaPrivateKey::new(&mut chance, KEY_BITS)
                .map_err(|error| error.to_string())
                .and_then(|private| certify(&private));
            // Nobody waits any more if the instance stops.
            let _gone = answer.send(made);
        });
        let made = answered.await.map_err(|_| Failure::Failed("the maker of the key ended".into()))?;
        made.map_err(Failure::Failed)
    }
}

/// The key with a certificate of its own.
fn certify(private: &RsaPrivateKey) -> Result<KeyRecord, String> {
    let failed = |error: &dyn std::fmt::Display| format!("a certificate could not be made: {error}");
    let public = private.as_public_key().to_pkcs1_der().map_err(|error| failed(&error))?;
    let issuer = Issuer { private, public: public.as_bytes() };
    let mut params = CertificateParams::new(Vec::new()).map_err(|error| failed(&error))?;
    params.not_before = rcgen::date_time_ymd(YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(YEARS.1, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sns.amazonaws.com");
    params.distinguished_name.push(DnType::OrganizationName, "Apus");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate_pem = params.self_signed(&issuer).map_err(|error| failed(&error))?.pem();
    let pkcs1 = private.to_pkcs1_der().map_err(|error| failed(&error))?.as_bytes().to_vec();
    Ok(KeyRecord { pkcs1, certificate_pem })
}

fn read(record: &KeyRecord) -> Result<Key, Failure> {
    let private = RsaPrivateKey::from_pkcs1_der(&record.pkcs1)
        .map_err(|error| Failure::Failed(format!("the signing key cannot be read: {error}")))?;
    let pem = record.certificate_pem.clone();
    let mut path = CERTIFICATE_PATH.to_owned();
    for byte in &Sha256::digest(&pem)[..16] {
        let _ = write!(path, "{byte:02x}");
    }
    path.push_str(".pem");
    Ok(Key { private, certificate: Certificate { path, pem } })
}

/// What is signed of a message: names and values, one to a line, in the order of the names.
pub(crate) fn to_sign(fields: &[(&str, Option<&str>)]) -> String {
    debug_assert!(fields.is_sorted_by_key(|(name, _)| *name), "verifiers sort them");
    let present = fields.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    present.fold(String::new(), |text, (name, value)| text + name + "\n" + value + "\n")
}

/// A key that signs its own certificate.
struct Issuer<'a> {
    private: &'a RsaPrivateKey,
    public: &'a [u8],
}

impl PublicKeyData for Issuer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl rcgen::SigningKey for Issuer<'_> {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.private
            .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text))
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// The environment's chance, as the key's maker asks for it.
struct Chance(Env);

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.random_u64() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.random_u64())
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), Infallible> {
        self.0.random_bytes(buf);
        Ok(())
    }
}

impl TryCryptoRng for Chance {}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;

    use super::*;

    #[test]
    fn what_is_signed_verifies_with_the_key_that_stays() {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        simulator.run(async {
            let store = Store::memory(&env);
            let signer = || Signer::new(env.clone(), store.clone(), "http://127.0.0.1:4566".into());
            let first = signer();
            let text =
                to_sign(&[("Message", Some("hello")), ("Subject", None), ("Type", Some("Notification"))]);
            assert_eq!(text, "Message\nhello\nType\nNotification\n");
            let one = first.sign(1, &text).await.expect("it is signed");
            let two = first.sign(2, &text).await.expect("it is signed");
            assert_ne!(one.signature, two.signature);
            let certificate = first.certificate().await.expect("it has a certificate");
            assert_eq!(one.certificate_url, format!("http://127.0.0.1:4566{}", certificate.path));
            // After a restart it is the same key.
            let again = signer();
            assert_eq!(again.sign(1, &text).await.expect("it is signed"), one);
            assert_eq!(again.certificate().await.expect("it has a certificate"), certificate);
            let key = again.key().await.expect("it has a key").private.as_public_key().clone();
            let verify = |signed: &Signed, text: &str| {
                let signature = STANDARD.decode(&signed.signature).expect("it is base64");
                match signed.version {
                    1 => key.verify(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(text), &signature).is_ok(),
                    _ => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text), &signature).is_ok(),
                }
            };
            assert!(verify(&one, &text) && verify(&two, &text));
            assert!(!verify(&one, "another text"));
            for number in 0..2 * REMEMBERED_MAX {
                first.sign(1, &number.to_string()).await.expect("it is signed");
            }
            assert_eq!(first.remembered.lock().expect("unpoisoned").len(), REMEMBERED_MAX);
            assert_eq!(first.sign(1, &text).await.expect("it is signed again"), one);
        });
    }
}
