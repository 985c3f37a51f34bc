//! Certificates of single names, made when a client first asks for one and kept, up to a bound.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{Authority, AuthorityError, named, new_key, unmade, valid};

/// Certificates that are kept; the oldest makes room. A sandbox can ask for as many names as it likes.
const LEAVES_MAX: usize = 1024;
/// Whom clients mean that say no name.
const NAMELESS: [&str; 2] = ["localhost", "127.0.0.1"];
/// What the connections speak.
const PROTOCOL: &[u8] = b"http/1.1";

pub(crate) fn server(
    authority: Arc<Authority>,
    names: Vec<String>,
) -> Result<Arc<ServerConfig>, AuthorityError> {
    let leaves = Leaves { authority, names, kept: Mutex::default() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| AuthorityError(format!("TLS cannot be spoken: {error}")))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(leaves));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

struct Leaves {
    authority: Arc<Authority>,
    names: Vec<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    /// In the order in which they were made.
    order: VecDeque<String>,
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaves({:?})", self.names)
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(NAMELESS[0]).to_ascii_lowercase();
        if !self.vouches_for(&name) {
            return None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.by_name.get(&name) {
            return Some(Arc::clone(known));
        }
        let leaf = Arc::new(self.make(&name).ok()?);
        if kept.order.len() >= LEAVES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_name.remove(&oldest);
        }
        kept.order.push_back(name.clone());
        kept.by_name.insert(name, Arc::clone(&leaf));
        Some(leaf)
    }
}

impl Leaves {
    fn vouches_for(&self, name: &str) -> bool {
        let is = |known: &String| {
            name.strip_suffix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        name == NAMELESS[0] || self.names.iter().any(is)
    }

    fn make(&self, name: &str) -> Result<CertifiedKey, AuthorityError> {
        let mut names = vec![name.to_owned()];
        if name == NAMELESS[0] {
            names.push(NAMELESS[1].to_owned());
        }
        let key = new_key()?;
        let mut params = valid(names)?;
        params.distinguished_name = named("Apus");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.authority.issuer).map_err(|error| unmade(&error))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = ring::sign::any_ecdsa_type(&key)
            .map_err(|error| AuthorityError(format!("a certificate's key cannot be used: {error}")))?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;

    fn authority() -> Arc<Authority> {
        let key = new_key().expect("a key");
        let params = crate::params(&key).expect("what it says");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Arc::new(Authority { issuer: rcgen::Issuer::new(params, key), certificate })
    }

    /// A client that trusts that authority, and nothing else.
    fn client(trusted: &Authority) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let pem = trusted.certificate_pem().as_bytes();
        roots
            .add(rustls::pki_types::CertificateDer::from_pem_slice(pem).expect("PEM"))
            .expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A handshake in memory.
    fn handshake(
        client: &Arc<ClientConfig>,
        server: &Arc<ServerConfig>,
        name: &str,
    ) -> Result<(), rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = ClientConnection::new(Arc::clone(client), name)?;
        let mut server = ServerConnection::new(Arc::clone(server))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("memory");
            }
            let mut rest = &wire[..];
            while !rest.is_empty() {
                server.read_tls(&mut rest).expect("memory");
                server.process_new_packets()?;
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("memory");
            }
            let mut rest = &wire[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("memory");
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn clients_that_trust_the_authority_believe_the_names_that_it_vouches_for() {
        let authority = authority();
        let server = authority.server(vec!["amazonaws.com".into(), "localhost".into()]).expect("a server");
        let believing = client(&authority);
        for name in
            ["sqs.us-east-1.amazonaws.com", "a.b.c.s3.eu-west-1.amazonaws.com", "localhost", "127.0.0.1"]
        {
            assert_eq!(handshake(&believing, &server, name), Ok(()), "{name}");
        }
        for name in ["example.com", "notamazonaws.com", "10.0.0.1"] {
            assert!(handshake(&believing, &server, name).is_err(), "{name}");
        }
        assert!(handshake(&client(&self::authority()), &server, "sqs.us-east-1.amazonaws.com").is_err());
    }

    #[test]
    fn only_so_many_certificates_are_kept() {
        let leaves = Leaves { authority: authority(), names: Vec::new(), kept: Mutex::default() };
        let server = server(Arc::clone(&leaves.authority), vec!["amazonaws.com".into()]).expect("a server");
        let believing = client(&leaves.authority);
        for at in 0..LEAVES_MAX + 10 {
            handshake(&believing, &server, &format!("b{at}.s3.amazonaws.com"))
                .expect("it vouches for all of them");
        }
        // The first was forgotten and is made again.
        assert_eq!(handshake(&believing, &server, "b0.s3.amazonaws.com"), Ok(()));
    }
}
