//! Checksums of an object's bytes: which are asked for, computed as the bytes flow, compared at their end.
//!
//! This module knows no header's encoding but base64, and refuses to know where the bytes go.

mod crc;
mod digest;

pub(crate) use digest::Digests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A checksum algorithm of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// What S3 computes for an object whose writer names no algorithm.
    pub(crate) const DEFAULT: Self = Self::Crc64Nvme;

    /// `CRC32C`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The header, and the trailer, that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// How many bytes it gives.
    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// A checksum: its algorithm and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) bytes: Vec<u8>,
}

impl Checksum {
    /// Reads base64 of as many bytes as the algorithm gives.
    pub(crate) fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.trim()).ok()?;
        (bytes.len() == algorithm.length()).then_some(Self { algorithm, bytes })
    }

    /// In base64.
    pub(crate) fn to_base64(&self) -> String {
        BASE64.encode(&self.bytes)
    }
}

/// A checksum as the members of an answer: at most one of them is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) crc32: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
}

impl Members {
    pub(crate) fn of(checksum: Option<&Checksum>) -> Self {
        let mut members = Self::default();
        let Some(checksum) = checksum else { return members };
        let member = match checksum.algorithm {
            Algorithm::Crc32 => &mut members.crc32,
            Algorithm::Crc32c => &mut members.crc32c,
            Algorithm::Crc64Nvme => &mut members.crc64nvme,
            Algorithm::Sha1 => &mut members.sha1,
            Algorithm::Sha256 => &mut members.sha256,
        };
        *member = Some(checksum.to_base64());
        members
    }
}

/// CRC-32 of some bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = crc::Crc::crc32();
    crc.update(bytes);
    crc.finish() as u32
}

/// Reads a `Content-MD5`.
pub(crate) fn parse_md5(text: &str) -> Option<[u8; 16]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

/// Writes a `Content-MD5`, for messages.
pub(crate) fn md5_to_base64(md5: [u8; 16]) -> String {
    BASE64.encode(md5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_in_their_lengths_only() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
            for length in [0, 3, 4, 8, 16, 20, 32, 64] {
                let text = BASE64.encode(vec![7; length]);
                let read = Checksum::parse(algorithm, &text);
                assert_eq!(read.is_some(), length == algorithm.length(), "{algorithm:?} of {length} bytes");
                if let Some(read) = read {
                    assert_eq!(read.to_base64(), text);
                }
            }
            assert_eq!(Checksum::parse(algorithm, "*"), None);
        }
        assert_eq!(
            parse_md5("1B2M2Y8AsgTpgAmY7PhCfg==").map(md5_to_base64).as_deref(),
            Some("1B2M2Y8AsgTpgAmY7PhCfg==")
        );
        for text in ["", "1B2M2Y8AsgTpgAmY7PhC", "d41d8cd98f00b204e9800998ecf8427e", "é"] {
            assert_eq!(parse_md5(text), None, "{text}");
        }
    }
}
