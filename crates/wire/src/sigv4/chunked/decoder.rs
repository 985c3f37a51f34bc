//! Reads `aws-chunked` as it arrives. It holds at most one line or one trailer, never a chunk.

use bytes::{Buf, Bytes};

use super::chain::Chain;
use super::{ChunkError, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, MIN_CHUNK_BYTES};
use crate::sigv4::{Streaming, Verified};

/// The trailer's line that signs the others.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Decodes one body.
///
/// Data is handed out as it arrives, before its chunk's signature is known: it counts for nothing until
/// [`Self::finish`] has succeeded. After an error the decoder stays failed.
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    chain: Option<Chain>,
    has_trailer: bool,
    announced_bytes: Option<u64>,
    announced_trailers: Vec<String>,
    state: State,
    line: Vec<u8>,
    chunk: u64,
    /// The size of the chunk before, zero before the first.
    previous_bytes: Option<u64>,
    /// What the current chunk says its signature is.
    sent_signature: String,
    received_bytes: u64,
    trailers: Vec<(String, String)>,
    trailer_bytes: usize,
    trailer_signature: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Head,
    Data {
        left: u64,
        size: u64,
    },
    AfterData {
        size: u64,
    },
    /// The empty line after the last chunk of a body without a trailer.
    LastLine,
    Trailer,
    Done,
    Failed(ChunkError),
}

impl ChunkDecoder {
    /// For the body of a verified request. `decoded_bytes` is `x-amz-decoded-content-length`, `trailers` the names
    /// in `x-amz-trailer`.
    pub fn signed(
        streaming: Streaming,
        verified: Verified,
        decoded_bytes: Option<u64>,
        trailers: &[&str],
    ) -> Self {
        let mut decoder = Self::unsigned(decoded_bytes, trailers);
        decoder.has_trailer = streaming != Streaming::Signed;
        decoder.chain = (streaming != Streaming::UnsignedTrailer).then(|| Chain::new(verified));
        decoder
    }

    /// For the body of an anonymous request, or one whose body is not signed.
    pub fn unsigned(decoded_bytes: Option<u64>, trailers: &[&str]) -> Self {
        let mut announced_trailers: Vec<String> =
            trailers.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        announced_trailers.sort_unstable();
        Self {
            chain: None,
            has_trailer: true,
            announced_bytes: decoded_bytes,
            announced_trailers,
            state: State::Head,
            line: Vec::new(),
            chunk: 0,
            previous_bytes: None,
            sent_signature: String::new(),
            received_bytes: 0,
            trailers: Vec::new(),
            trailer_bytes: 0,
            trailer_signature: None,
        }
    }

    /// Takes the next bytes of the body; gives those of them that are data.
    pub fn push(&mut self, mut input: Bytes) -> Result<Vec<Bytes>, ChunkError> {
        let mut data = Vec::new();
        while !input.is_empty() {
            if let Err(error) = self.step(&mut input, &mut data) {
                self.state = State::Failed(error.clone());
                return Err(error);
            }
        }
        Ok(data)
    }

    /// Ends the body; gives its trailer, names in small letters. Only now is the data to be trusted.
    pub fn finish(self) -> Result<Vec<(String, String)>, ChunkError> {
        match self.state {
            State::Done => Ok(self.trailers),
            State::Failed(error) => Err(error),
            _ => Err(ChunkError::Truncated),
        }
    }

    fn step(&mut self, input: &mut Bytes, data: &mut Vec<Bytes>) -> Result<(), ChunkError> {
        match self.state.clone() {
            State::Head => {
                if let Some(line) = self.take_line(input, MAX_CHUNK_LINE_BYTES)? {
                    self.begin_chunk(&line)?;
                }
            }
            State::Data { left, size } => {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let piece = input.split_to(take);
                if let Some(chain) = &mut self.chain {
                    chain.push(&piece);
                }
                data.push(piece);
                let left = left - take as u64;
                self.state = if left == 0 { State::AfterData { size } } else { State::Data { left, size } };
            }
            State::AfterData { size } => {
                // Only the line's end may stand here; a longer line is refused at its first byte.
                let expected = b"\r\n"[self.line.len()];
                if input[0] != expected {
                    return Err(self.malformed("no line end after its data"));
                }
                input.advance(1);
                self.line.push(expected);
                if self.line.len() == 2 {
                    self.line.clear();
                    self.end_chunk(size)?;
                }
            }
            State::LastLine => {
                if let Some(line) = self.take_line(input, 2)? {
                    if !line.is_empty() {
                        return Err(self.malformed("no empty line after the last chunk"));
                    }
                    self.state = State::Done;
                }
            }
            State::Trailer => {
                let room = MAX_TRAILER_BYTES.saturating_sub(self.trailer_bytes);
                if let Some(line) = self.take_line(input, room)? {
                    self.trailer_bytes += line.len() + 2;
                    self.trailer_line(&line)?;
                }
            }
            State::Done => return Err(ChunkError::AfterEnd),
            State::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// A line without its CRLF, once all of it is there.
    fn take_line(&mut self, input: &mut Bytes, most: usize) -> Result<Option<String>, ChunkError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let take = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + take > most {
            return Err(self.malformed_line("a line is too long"));
        }
        self.line.extend_from_slice(&input.split_to(take));
        if end.is_none() {
            return Ok(None);
        }
        // A line of a trailer may end in LF CRLF, as S3's documentation writes it: the first LF ends nothing.
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            if self.state == State::Trailer {
                return Ok(None);
            }
            return Err(self.malformed_line("a line does not end in CRLF"));
        };
        let text = std::str::from_utf8(line).ok().map(str::to_owned);
        let Some(text) = text else { return Err(self.malformed_line("a line is not text")) };
        self.line.clear();
        Ok(Some(text))
    }

    fn begin_chunk(&mut self, line: &str) -> Result<(), ChunkError> {
        let mut parts = line.split(';');
        let size = parts.next().unwrap_or_default().trim();
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.malformed("its size is not a hexadecimal number"));
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| self.malformed("its size is too large"))?;
        let mut signatures = parts.filter_map(|part| part.trim().strip_prefix("chunk-signature="));
        match (self.chain.is_some(), signatures.next()) {
            (true, None) => return Err(self.malformed("it has no chunk-signature")),
            (true, Some(signature)) => signature.clone_into(&mut self.sent_signature),
            (false, _) => {}
        }
        if let Some(bytes) = self.previous_bytes
            && size > 0
            && bytes < MIN_CHUNK_BYTES
        {
            return Err(ChunkError::TooSmall { chunk: self.chunk - 1, bytes });
        }
        self.received_bytes = self.received_bytes.saturating_add(size);
        let received = self.received_bytes;
        if let Some(announced) = self.announced_bytes
            && (received > announced || size == 0 && received < announced)
        {
            return Err(ChunkError::WrongLength { announced, received });
        }
        if size == 0 {
            return self.end_chunk(0);
        }
        self.state = State::Data { left: size, size };
        Ok(())
    }

    fn end_chunk(&mut self, size: u64) -> Result<(), ChunkError> {
        if let Some(chain) = &mut self.chain
            && !chain.end_chunk().matches(&self.sent_signature)
        {
            return Err(ChunkError::WrongSignature { chunk: self.chunk });
        }
        self.state = match (size, self.has_trailer) {
            (0, true) => State::Trailer,
            (0, false) => State::LastLine,
            _ => State::Head,
        };
        self.previous_bytes = Some(size);
        self.chunk += 1;
        Ok(())
    }

    fn trailer_line(&mut self, line: &str) -> Result<(), ChunkError> {
        if line.trim().is_empty() {
            return self.end_trailer();
        }
        if self.trailer_signature.is_some() {
            return Err(ChunkError::MalformedTrailer { problem: "a line follows its signature" });
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(ChunkError::MalformedTrailer { problem: "a line has no colon" });
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if value.contains(['\n', '\r']) {
            return Err(ChunkError::MalformedTrailer { problem: "a value holds a line break" });
        }
        if name == TRAILER_SIGNATURE {
            self.trailer_signature = Some(value);
        } else {
            self.trailers.push((name, value));
        }
        Ok(())
    }

    fn end_trailer(&mut self) -> Result<(), ChunkError> {
        let mut received: Vec<String> = self.trailers.iter().map(|(name, _)| name.clone()).collect();
        received.sort_unstable();
        if received != self.announced_trailers {
            return Err(ChunkError::WrongTrailers { announced: self.announced_trailers.clone(), received });
        }
        if let Some(chain) = &mut self.chain {
            let mut trailers: Vec<_> = self.trailers.iter().collect();
            trailers.sort_unstable();
            let mut signed = String::new();
            for (name, value) in trailers {
                signed.extend([name, ":", value, "\n"]);
            }
            let signature = chain.end_trailer(&signed);
            if !self.trailer_signature.as_deref().is_some_and(|sent| signature.matches(sent)) {
                return Err(ChunkError::WrongTrailerSignature);
            }
        }
        self.state = State::Done;
        Ok(())
    }

    fn malformed(&self, problem: &'static str) -> ChunkError {
        ChunkError::MalformedChunk { chunk: self.chunk, problem }
    }

    fn malformed_line(&self, problem: &'static str) -> ChunkError {
        match self.state {
            State::Trailer => ChunkError::MalformedTrailer { problem },
            _ => self.malformed(problem),
        }
    }
}
