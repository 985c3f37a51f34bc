//! The running digest of what a simulation did (FNV-1a, 64 bits).

#[derive(Debug)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn record(&mut self, bytes: &[u8]) {
        // The length goes in too, so that records cannot run into each other.
        for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.record(&number.to_le_bytes());
    }

    pub(crate) fn digest(&self) -> u64 {
        self.0
    }
}
