//! For which processor a program is built: said by name where it is another than this one.

use std::fs::File;
use std::io::Read;

/// The processor of this host, as `uname` calls it.
pub(super) const HOST: &str = std::env::consts::ARCH;

/// ELF's numbers of processors.
const MACHINES: [(u16, &str); 8] = [
    (3, "x86"),
    (8, "mips"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
];

/// The processor that a program needs, if it is an ELF file for another one than this.
pub(super) fn foreign(program: &str) -> Option<String> {
    let mut head = [0; 20];
    File::open(program).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    machine(&head).filter(|name| name != HOST)
}

/// Reads the beginning of a file.
fn machine(head: &[u8; 20]) -> Option<String> {
    if &head[..4] != b"\x7fELF" {
        return None;
    }
    let bytes = [head[18], head[19]];
    let number = if head[5] == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
    let known = MACHINES.iter().find(|(known, _)| *known == number);
    Some(known.map_or_else(|| format!("processor type {number}"), |(_, name)| (*name).to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn machines_are_read_in_both_orders() {
        let head = |order: u8, machine: [u8; 2]| {
            let mut head = *b"\x7fELF\x02\x01\x01_____________";
            head[5] = order;
            head[18..].copy_from_slice(&machine);
            super::machine(&head)
        };
        assert_eq!(head(1, [183, 0]).as_deref(), Some("aarch64"));
        assert_eq!(head(2, [0, 22]).as_deref(), Some("s390x"));
        assert_eq!(head(1, [0, 99]).as_deref(), Some("processor type 25344"));
        assert_eq!(super::machine(b"#!/bin/sh\necho hello"), None);
    }
}
