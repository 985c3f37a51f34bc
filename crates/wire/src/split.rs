//! Splits short texts: setting up the standard library's searcher takes longer than looking at them.

/// The parts of a text between an ASCII character.
pub(crate) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (part, after) = cut(rest?, separator);
        rest = after;
        Some(part)
    })
}

/// What stands before the first of an ASCII character, and what after it, if it is there.
pub(crate) fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    debug_assert!(separator.is_ascii(), "other bytes may lie within a character");
    match find(text.as_bytes(), separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Where an ASCII character stands first, looked for in eight bytes at once.
fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST_BITS: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        // What is wanted becomes 0, and taking 1 from it sets its highest bit: the lowest that is set is right.
        let word = u64::from_le_bytes(*word) ^ u64::from_le_bytes([wanted; 8]);
        let found = word.wrapping_sub(ONES) & !word & HIGHEST_BITS;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| *byte == wanted).map(|more| at + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_wherever_it_stands() {
        for length in 0..40 {
            // Neighbours of what is wanted, which a wrong borrow would take for it.
            let text: Vec<u8> = b"<=:\xbb\x80\xff".iter().copied().cycle().take(length).collect();
            assert_eq!(find(&text, b';'), None);
            for at in 0..length {
                let mut text = text.clone();
                text[at] = b';';
                assert_eq!(find(&text, b';'), Some(at), "{at} of {length}");
                text[at..].fill(b';');
                assert_eq!(find(&text, b';'), Some(at), "from {at} of {length} on");
            }
        }
    }

    #[test]
    fn parts_are_those_of_the_standard_library() {
        for text in ["", ";", "a", "a;b", ";a;;b;", "ä;ö;"] {
            assert!(split(text, b';').eq(text.split(';')), "{text}");
        }
    }
}
