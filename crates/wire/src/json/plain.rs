//! The part of a string that JSON writes as it is: most strings, whole.

/// Bytes that are looked at together, which the compiler makes one instruction of.
const STRIDE: usize = 32;

/// How many bytes at the beginning stand in a JSON string without an escape.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut done = 0;
    for chunk in bytes.chunks_exact(STRIDE) {
        if chunk.iter().fold(false, |found, byte| found | is_special(*byte)) {
            break;
        }
        done += STRIDE;
    }
    done + bytes[done..].iter().take_while(|byte| !is_special(**byte)).count()
}

/// Quotes, backslashes and control characters (RFC 8259, 7).
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_ends_it_wherever_it_stands() {
        for length in 0..100 {
            let plain_text = "aé ~\u{7f}".bytes().cycle().take(length).collect::<Vec<_>>();
            assert_eq!(plain(&plain_text), length);
            for special in [b'"', b'\\', 0, b'\n', 0x1f] {
                for at in 0..length {
                    let mut text = plain_text.clone();
                    text[at] = special;
                    assert_eq!(plain(&text), at, "{special} at {at} of {length}");
                }
            }
        }
    }
}
