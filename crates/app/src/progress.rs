//! What people see of work that takes long: how much is done, in one line of stderr, if that is a terminal.

use std::io::{self, IsTerminal, Read, Write};

/// Bytes between two looks.
const STEP: u64 = 16 * MIB;
const MIB: u64 = 1024 * 1024;

/// Something that is read or written, counted.
pub(crate) struct Progress<T> {
    inner: T,
    what: &'static str,
    bytes: u64,
    shown: u64,
    /// Whether anybody looks.
    is_seen: bool,
}

impl<T> Progress<T> {
    /// `what` is being done: `reading`.
    pub(crate) fn of(what: &'static str, inner: T) -> Self {
        Self { inner, what, bytes: 0, shown: 0, is_seen: io::stderr().is_terminal() }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.is_seen && self.bytes - self.shown >= STEP {
            self.shown = self.bytes;
            eprint!("\r{} … {} MiB", self.what, self.bytes / MIB);
        }
    }
}

impl<T: Read> Read for Progress<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buf)?;
        self.add(bytes);
        Ok(bytes)
    }
}

impl<T: Write> Write for Progress<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let bytes = self.inner.write(buf)?;
        self.add(bytes);
        Ok(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T> Drop for Progress<T> {
    fn drop(&mut self) {
        if self.shown > 0 {
            eprintln!();
        }
    }
}

/// Says what is begun that shows nothing before it ends.
pub(crate) fn begun(what: &str) {
    if io::stderr().is_terminal() {
        eprintln!("{what} …");
    }
}
