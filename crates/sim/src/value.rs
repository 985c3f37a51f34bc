//! Values that describe themselves: all of one follows from the number that it begins with, so that a torn,
//! mixed or foreign one is known at sight.

use apus_env::sim::Rng;

/// Digits of the number at the beginning.
const DIGITS: usize = 16;
/// Objects up to this size live in the store, larger ones in blobs.
const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// An object's bytes: mostly small, some of them too large for the store itself.
pub(crate) fn object(token: u64) -> Vec<u8> {
    let mut bytes = format!("{token:0DIGITS$x}").into_bytes();
    bytes.resize(object_size(token) as usize, 0);
    Rng::new(token).fill(&mut bytes[DIGITS..]);
    bytes
}

/// The size of that object, in bytes.
pub(crate) fn object_size(token: u64) -> u64 {
    let mut dice = Rng::new(!token);
    DIGITS as u64
        + match dice.below(10) {
            0 => SMALL_BYTES_MAX + dice.below(SMALL_BYTES_MAX / 2),
            1 => SMALL_BYTES_MAX - DIGITS as u64 - dice.below(3),
            _ => dice.below(1_000),
        }
}

/// The number of an object, if these are all its bytes and no others.
pub(crate) fn read_object(bytes: &[u8]) -> Option<u64> {
    let token = token_at(bytes)?;
    (object(token) == bytes).then_some(token)
}

/// Letters and digits, as a message or a description.
pub(crate) fn text(token: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    let mut dice = Rng::new(token);
    let letters = dice.below(120);
    let mut text = format!("{token:0DIGITS$x}");
    text.extend((0..letters).map(|_| char::from(LETTERS[dice.below(32) as usize])));
    text
}

/// The number of a text, if it is whole.
pub(crate) fn read_text(found: &str) -> Option<u64> {
    let token = token_at(found.as_bytes())?;
    (text(token) == found).then_some(token)
}

fn token_at(bytes: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(bytes.get(..DIGITS)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_known_whole_and_damage_is_seen() {
        for token in 0..200 {
            let mut bytes = object(token);
            assert_eq!(bytes.len() as u64, object_size(token));
            assert_eq!(read_object(&bytes), Some(token));
            assert_eq!(read_object(&bytes[..bytes.len() - 1]), None);
            *bytes.last_mut().expect("never empty") ^= 1;
            assert_eq!(read_object(&bytes), None);
            let text = text(token);
            assert_eq!(read_text(&text), Some(token));
            assert_eq!(read_text(&format!("{text}x")), None);
        }
        assert!((0..200).any(|token| object_size(token) > SMALL_BYTES_MAX));
    }
}
