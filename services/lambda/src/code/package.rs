//! A code package as it was uploaded: its bytes and their hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The largest package in a request, in bytes: AWS's quota of 50 MB.
pub(crate) const UPLOAD_BYTES_MAX: usize = 52_428_800;

/// The SHA-256 of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CodeHash([u8; 32]);

impl CodeHash {
    /// The hash of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(Sha256::digest(bytes).as_ref());
        Self(hash)
    }

    /// A hash as it was stored.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash's bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As `CodeSha256` shows it.
    pub(crate) fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }
}

/// In hexadecimal, as in the names of directories.
impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A package in memory.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) bytes: Bytes,
    pub(crate) hash: CodeHash,
}

impl Package {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let hash = CodeHash::of(&bytes);
        Self { bytes, hash }
    }
}
