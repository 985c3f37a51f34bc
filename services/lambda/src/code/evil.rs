//! Archives for tests, honest and hostile, built byte by byte: no writer of archives would write most of them.

/// One entry as it stands in an archive.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    /// The size that both headers give.
    pub(crate) claimed: u32,
    /// 0 for stored, 8 for deflated; `content` is as stored.
    pub(crate) method: u16,
    pub(crate) crc: u32,
    /// Shares the bytes of the first entry.
    pub(crate) overlaps: bool,
}

impl Raw {
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            mode: 0o100_644,
            claimed: content.len() as u32,
            method: 0,
            crc: crc32(content),
            overlaps: false,
        }
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn claiming(mut self, bytes: u32) -> Self {
        self.claimed = bytes;
        self
    }

    pub(crate) fn overlapping(mut self) -> Self {
        self.overlaps = true;
        self
    }
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// An archive of these entries.
pub(crate) fn zip(entries: &[Raw]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = if entry.overlaps { 0 } else { out.len() };
        let sizes = |to: &mut Vec<u8>| {
            to.extend(entry.method.to_le_bytes());
            to.extend([0, 0, 0x21, 0x5b]);
            to.extend(entry.crc.to_le_bytes());
            to.extend((entry.content.len() as u32).to_le_bytes());
            to.extend(entry.claimed.to_le_bytes());
            to.extend((entry.name.len() as u16).to_le_bytes());
            to.extend([0, 0]);
        };
        if !entry.overlaps {
            out.extend(b"PK\x03\x04\x14\0\0\x08");
            sizes(&mut out);
            out.extend(&entry.name);
            out.extend(&entry.content);
        }
        directory.extend(b"PK\x01\x02\x14\x03\x14\0\0\x08");
        sizes(&mut directory);
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend((offset as u32).to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = out.len() as u32;
    let length = directory.len() as u32;
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}
