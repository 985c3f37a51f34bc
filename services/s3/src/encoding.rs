//! `encoding-type=url`: keys in listings as form data, for characters that XML cannot carry.

use std::fmt::Write as _;

/// Letters, digits, `-`, `_`, `.`, `*` and `/` stand for themselves, a space is `+`, all else is percent-encoded.
pub(crate) fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(byte.into());
            }
            b' ' => encoded.push('+'),
            _ => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_carry_is_encoded() {
        for (text, expected) in [
            ("test_file(3).png", "test_file%283%29.png"),
            ("a/b c+d%2F", "a/b+c%2Bd%252F"),
            ("\u{1}ä€😀", "%01%C3%A4%E2%82%AC%F0%9F%98%80"),
            ("", ""),
        ] {
            assert_eq!(url_encode(text), expected);
        }
    }
}
