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
    match text.bytes().position(|byte| byte == separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_standard_library() {
        for text in ["", ";", "a", "a;b", ";a;;b;", "ä;ö;"] {
            assert!(split(text, b';').eq(text.split(';')), "{text}");
        }
    }
}
