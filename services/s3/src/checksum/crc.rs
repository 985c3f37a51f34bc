//! The three cyclic redundancy checks of S3, eight bytes at a step.

/// A reflected CRC of up to 64 bits.
pub(crate) struct Crc {
    tables: &'static [[u64; 256]; 8],
    state: u64,
    mask: u64,
}

impl Crc {
    /// CRC-32 of ISO-HDLC, as zip files have it.
    pub(crate) fn crc32() -> Self {
        static TABLES: [[u64; 256]; 8] = tables(0xedb8_8320);
        Self::start(&TABLES, u32::MAX.into())
    }

    /// CRC-32 of Castagnoli, as iSCSI has it.
    pub(crate) fn crc32c() -> Self {
        static TABLES: [[u64; 256]; 8] = tables(0x82f6_3b78);
        Self::start(&TABLES, u32::MAX.into())
    }

    /// CRC-64 of the `NVMe` command set.
    pub(crate) fn crc64nvme() -> Self {
        static TABLES: [[u64; 256]; 8] = tables(0x9a6c_9329_ac4b_c9b5);
        Self::start(&TABLES, u64::MAX)
    }

    fn start(tables: &'static [[u64; 256]; 8], mask: u64) -> Self {
        Self { tables, state: mask, mask }
    }

    /// Takes more bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let tables = self.tables;
        let mut state = self.state;
        let (steps, rest) = bytes.as_chunks::<8>();
        for step in steps {
            let word = state ^ u64::from_le_bytes(*step);
            state = 0;
            for (place, byte) in word.to_le_bytes().into_iter().enumerate() {
                state ^= tables[7 - place][usize::from(byte)];
            }
        }
        for byte in rest {
            state = tables[0][usize::from(state as u8 ^ byte)] ^ (state >> 8);
        }
        self.state = state;
    }

    /// The check of all bytes taken.
    pub(crate) fn finish(&self) -> u64 {
        self.state ^ self.mask
    }
}

/// For each of eight distances from the end of a step, what a byte there adds.
const fn tables(polynomial: u64) -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            state = if state & 1 == 1 { polynomial ^ (state >> 1) } else { state >> 1 };
            bit += 1;
        }
        tables[0][byte] = state;
        byte += 1;
    }
    let mut distance = 1;
    while distance < 8 {
        let mut byte = 0;
        while byte < 256 {
            let nearer = tables[distance - 1][byte];
            tables[distance][byte] = tables[0][(nearer & 0xff) as usize] ^ (nearer >> 8);
            byte += 1;
        }
        distance += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_published_check_values_come_out() {
        let check = |mut crc: Crc, expected: u64| {
            crc.update(b"123456789");
            assert_eq!(crc.finish(), expected);
        };
        check(Crc::crc32(), 0xcbf4_3926);
        check(Crc::crc32c(), 0xe306_9283);
        check(Crc::crc64nvme(), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn cuts_do_not_matter() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|number| (number * number) as u8).collect();
        for make in [Crc::crc32, Crc::crc32c, Crc::crc64nvme] {
            let mut whole = make();
            whole.update(&bytes);
            for cut in [0, 1, 7, 8, 9, 500, 999, 1_000] {
                let mut parts = make();
                parts.update(&bytes[..cut]);
                parts.update(&bytes[cut..]);
                assert_eq!(parts.finish(), whole.finish(), "cut at {cut}");
            }
        }
    }
}
