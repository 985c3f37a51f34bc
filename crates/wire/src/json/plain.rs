//! The part of a string that JSON writes as it is: most strings, whole.

/// The same byte in all eight places of a word.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many bytes at the beginning stand in a JSON string without an escape.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut done = 0;
    while let Some(word) = bytes[done..].first_chunk::<8>() {
        if has_special(u64::from_ne_bytes(*word)) {
            break;
        }
        done += 8;
    }
    done + bytes[done..].iter().take_while(|byte| !is_special(**byte)).count()
}

/// Whether one of eight bytes is special, in a few operations for all of them: taking 1 from a byte sets its highest bit
/// if it was 0, taking 0x20 if it was below.
const fn has_special(word: u64) -> bool {
    let (quotes, backslashes) = (word ^ eight(b'"'), word ^ eight(b'\\'));
    let found = below(word, eight(0x20)) | below(quotes, eight(1)) | below(backslashes, eight(1));
    found & eight(0x80) != 0
}

/// The highest bit of every byte that is below the bound's, if its own is not set; of bytes after such a one perhaps too.
const fn below(word: u64, bound: u64) -> u64 {
    word.wrapping_sub(bound) & !word
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
