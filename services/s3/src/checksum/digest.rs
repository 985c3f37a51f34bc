//! Digests of bytes that flow by.

use std::collections::BTreeSet;

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::crc::Crc;
use super::{Algorithm, Checksum};

/// MD5 and the checksums asked for, of the bytes so far.
pub(crate) struct Digests {
    md5: Md5,
    others: Vec<(Algorithm, State)>,
}

enum State {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl State {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc(Crc::crc32()),
            Algorithm::Crc32c => Self::Crc(Crc::crc32c()),
            Algorithm::Crc64Nvme => Self::Crc(Crc::crc64nvme()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(bytes),
            Self::Sha1(sha) => sha.update(bytes),
            Self::Sha256(sha) => sha.update(bytes),
        }
    }

    fn finish(self, length: usize) -> Vec<u8> {
        match self {
            Self::Crc(crc) => crc.finish().to_be_bytes()[size_of::<u64>() - length..].to_vec(),
            Self::Sha1(sha) => sha.finalize().to_vec(),
            Self::Sha256(sha) => sha.finalize().to_vec(),
        }
    }
}

impl Digests {
    /// Of no bytes yet.
    pub(crate) fn new(algorithms: &BTreeSet<Algorithm>) -> Self {
        let others = algorithms.iter().map(|algorithm| (*algorithm, State::of(*algorithm))).collect();
        Self { md5: Md5::new(), others }
    }

    /// Takes more bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        for (_, state) in &mut self.others {
            state.update(bytes);
        }
    }

    /// MD5 and the checksums, of all bytes taken.
    pub(crate) fn finish(self) -> ([u8; 16], Vec<Checksum>) {
        let checksum = |(algorithm, state): (Algorithm, State)| Checksum {
            algorithm,
            bytes: state.finish(algorithm.length()),
        };
        (self.md5.finalize().into(), self.others.into_iter().map(checksum).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those that `openssl dgst` and the catalogue of CRC algorithms give for `123456789`.
    #[test]
    fn digests_are_those_of_the_bytes() {
        let mut digests = Digests::new(&Algorithm::ALL.into());
        digests.update(b"1234");
        digests.update(b"");
        digests.update(b"56789");
        let (md5, checksums) = digests.finish();
        assert_eq!(super::super::md5_to_base64(md5), "JfnnlDI7RTiF9RgfG2JNCw==");
        let texts: Vec<_> = checksums.iter().map(|one| (one.algorithm.name(), one.to_base64())).collect();
        assert_eq!(
            texts,
            [
                ("CRC32", "y/Q5Jg==".to_owned()),
                ("CRC32C", "4waSgw==".to_owned()),
                ("CRC64NVME", "rosUhgp5mIg=".to_owned()),
                ("SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE=".to_owned()),
                ("SHA256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=".to_owned()),
            ]
        );
    }
}
