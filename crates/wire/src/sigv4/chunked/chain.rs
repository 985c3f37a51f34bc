//! The chain of signatures: each chunk's covers the one before, the first the request's.

use crate::sigv4::key::{Sha256, sha256_hex};
use crate::sigv4::{Signature, Verified};

/// Where the chain stands.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    from: Verified,
    previous: Signature,
    data: Sha256,
}

impl Chain {
    pub(super) fn new(from: Verified) -> Self {
        Self { previous: from.seed, from, data: Sha256::default() }
    }

    /// Takes the next bytes of the current chunk.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.data.update(bytes);
    }

    /// Ends the current chunk: its signature.
    pub(super) fn end_chunk(&mut self) -> Signature {
        let hash = std::mem::take(&mut self.data).finish_hex();
        self.link(&format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}", self.place(), sha256_hex(b"")), &hash)
    }

    /// Ends the trailer, given as `name:value` and a line feed each: its signature.
    pub(super) fn end_trailer(&mut self, trailer: &str) -> Signature {
        let hash = sha256_hex(trailer.as_bytes());
        self.link(&format!("AWS4-HMAC-SHA256-TRAILER\n{}", self.place()), &hash)
    }

    fn place(&self) -> String {
        format!("{}\n{}\n{}", self.from.requested.to_compact(), self.from.scope, self.previous)
    }

    fn link(&mut self, start: &str, hash: &str) -> Signature {
        self.previous = self.from.key.sign(format!("{start}\n{hash}").as_bytes());
        self.previous
    }
}
