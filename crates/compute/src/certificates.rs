//! The certificates that sandboxes trust: this host's, and the installation's own authority. A directory of one
//! bundle under each name that programs look for.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::host_root::{make_directory, write};

/// Where distributions keep the bundle of this host.
const HOST_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// What the bundle is called in a sandbox's directories of certificates.
const NAMES: [&str; 2] = ["ca-certificates.crt", "ca-bundle.crt"];

/// Where the bundle is in every sandbox.
pub(crate) const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The same for Java, which reads a format of its own.
pub(crate) const JAVA_STORE: &str = "/etc/ssl/certs/java/cacerts";

/// The variables by which SDKs and programs find it, which look elsewhere without: Python's botocore and requests
/// bring bundles of their own, an interpreter that was built for another place looks there.
pub(crate) const VARIABLES: [(&str, &str); 4] = [
    ("AWS_CA_BUNDLE", BUNDLE),
    ("CURL_CA_BUNDLE", BUNDLE),
    ("REQUESTS_CA_BUNDLE", BUNDLE),
    ("SSL_CERT_FILE", BUNDLE),
];

/// Writes the bundle and names its directory.
pub(crate) fn write_bundle(directory: &Path, trusted: Option<&str>) -> io::Result<PathBuf> {
    make_directory(directory)?;
    let host = HOST_BUNDLES.iter().find_map(|path| std::fs::read_to_string(path).ok());
    let mut bundle = trusted.unwrap_or_default().to_owned();
    bundle.push_str(&host.unwrap_or_default());
    for name in NAMES {
        write(&directory.join(name), &bundle)?;
    }
    let java = directory.join("java");
    make_directory(&java)?;
    write(&java.join("cacerts"), java_store(&bundle))?;
    Ok(directory.to_owned())
}

/// Certificates as Java's key store has them (JKS, version 2). Its digest is checked where a password is given, and
/// none is for certificates: it is left zero.
fn java_store(pem: &str) -> Vec<u8> {
    const MAGIC: u32 = 0xFEED_FEED;
    const VERSION: u32 = 2;
    const TRUSTED_CERTIFICATE: u32 = 2;
    const DIGEST: [u8; 20] = [0; 20];
    let certificates = certificates(pem);
    let mut store = Vec::new();
    let number = |store: &mut Vec<u8>, number: u32| store.extend(number.to_be_bytes());
    let text = |store: &mut Vec<u8>, text: &str| {
        store.extend((text.len() as u16).to_be_bytes());
        store.extend(text.as_bytes());
    };
    number(&mut store, MAGIC);
    number(&mut store, VERSION);
    number(&mut store, certificates.len() as u32);
    for (index, certificate) in certificates.iter().enumerate() {
        number(&mut store, TRUSTED_CERTIFICATE);
        text(&mut store, &format!("trusted-{index}"));
        // When it was added, which nobody asks for.
        store.extend(0_u64.to_be_bytes());
        text(&mut store, "X.509");
        number(&mut store, certificate.len() as u32);
        store.extend(certificate);
    }
    store.extend(DIGEST);
    store
}

/// The certificates of a bundle, as DER; what cannot be read is left out.
fn certificates(pem: &str) -> Vec<Vec<u8>> {
    let parts = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = parts.filter_map(|part| part.split_once("-----END CERTIFICATE-----"));
    let lines = bodies.map(|(body, _)| body.split_whitespace().collect::<String>());
    lines.filter_map(|body| STANDARD.decode(body).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_s_store_has_every_certificate_of_the_bundle() {
        let one = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let bundle = format!("# a comment\n{}{}{}", one("c3dp\nZnQ="), one("!"), one("YXB1cw=="));
        assert_eq!(certificates(&bundle), [b"swift".to_vec(), b"apus".to_vec()]);
        let store = java_store(&bundle);
        assert_eq!(store[..12], [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 2]);
        assert!(store.windows(9).any(|part| part == b"\x00\x00\x00\x05swift"));
        assert!(store.ends_with(&[&b"\x00\x00\x00\x04apus"[..], &[0; 20]].concat()));
    }
}
