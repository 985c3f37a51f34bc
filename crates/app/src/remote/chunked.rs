//! A body that comes in chunks, as it comes.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// The longest line that names the length of a chunk.
const LINE_BYTES_MAX: u64 = 256;

/// Reads what the chunks hold; the end of the body is the end.
#[derive(Debug)]
pub(crate) struct Chunked<R> {
    from: R,
    /// Bytes that are left of the chunk.
    left: u64,
    begun: bool,
    ended: bool,
}

impl<R: BufRead> Chunked<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, left: 0, begun: false, ended: false }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.from.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None if line.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            None => Err(malformed()),
        }
    }

    fn next_chunk(&mut self) -> Result<()> {
        if self.begun && !self.line()?.is_empty() {
            return Err(malformed());
        }
        self.begun = true;
        let line = self.line()?;
        let length = line.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(length, 16).map_err(|_| malformed())?;
        self.ended = self.left == 0;
        Ok(())
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "the body has no chunks as HTTP knows them")
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.left == 0 && !self.ended {
            self.next_chunk()?;
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.from.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> std::result::Result<Vec<u8>, ErrorKind> {
        let mut body = Vec::new();
        let read = Chunked::new(bytes).read_to_end(&mut body);
        read.map(|_| body).map_err(|error| error.kind())
    }

    #[test]
    fn chunks_are_joined_and_what_is_none_is_refused() {
        assert_eq!(read(b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"), Ok(b"abc0123456789".to_vec()));
        assert_eq!(read(b"0\r\n\r\n"), Ok(Vec::new()));
        assert_eq!(read(b"3\r\nab"), Err(ErrorKind::UnexpectedEof));
        assert_eq!(read(b"3\r\nabc\r\n"), Err(ErrorKind::UnexpectedEof));
        assert_eq!(read(b"x\r\n"), Err(ErrorKind::InvalidData));
        assert_eq!(read(b"1\r\nabc\r\n0\r\n\r\n"), Err(ErrorKind::InvalidData));
        assert_eq!(read(&[b'1'; 1_000]), Err(ErrorKind::InvalidData));
    }
}
