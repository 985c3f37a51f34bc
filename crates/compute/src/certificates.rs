//! The certificates that sandboxes trust: this host's, and the installation's own authority. A directory of one
//! bundle under each name that programs look for.

use std::io;
use std::path::{Path, PathBuf};

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
    Ok(directory.to_owned())
}
