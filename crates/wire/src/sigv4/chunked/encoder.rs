//! Writes `aws-chunked`: for requests of our own and for tests.

use super::chain::Chain;
use crate::sigv4::{Streaming, Verified};

/// Encodes one body, chunk by chunk.
#[derive(Clone, Debug)]
pub struct ChunkEncoder {
    chain: Option<Chain>,
    streaming: Streaming,
}

impl ChunkEncoder {
    /// For the body of a request that was signed as `streaming`.
    pub fn new(streaming: Streaming, signed: Verified) -> Self {
        let chain = (streaming != Streaming::UnsignedTrailer).then(|| Chain::new(signed));
        Self { chain, streaming }
    }

    /// Writes one chunk; all but the last must hold [`super::MIN_CHUNK_BYTES`].
    pub fn chunk(&mut self, data: &[u8], into: &mut Vec<u8>) {
        assert!(!data.is_empty(), "an empty chunk ends the body");
        self.head(data, into);
        into.extend_from_slice(data);
        into.extend_from_slice(b"\r\n");
    }

    /// Writes the end of the body, with the trailer's headers if it has one.
    pub fn finish(mut self, trailers: &[(&str, &str)], into: &mut Vec<u8>) {
        self.head(b"", into);
        if self.streaming != Streaming::Signed {
            let mut signed = String::new();
            for (name, value) in trailers {
                assert!(!value.contains('\n'), "a trailer is one line");
                signed.extend([*name, ":", *value, "\n"]);
                into.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            if let Some(chain) = &mut self.chain {
                let signature = chain.end_trailer(&signed);
                into.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
            }
        }
        into.extend_from_slice(b"\r\n");
    }

    fn head(&mut self, data: &[u8], into: &mut Vec<u8>) {
        into.extend_from_slice(format!("{:x}", data.len()).as_bytes());
        if let Some(chain) = &mut self.chain {
            chain.push(data);
            into.extend_from_slice(format!(";chunk-signature={}", chain.end_chunk()).as_bytes());
        }
        into.extend_from_slice(b"\r\n");
    }
}
