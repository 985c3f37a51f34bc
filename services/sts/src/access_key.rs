//! The names and secrets of new credentials. Chance is an argument.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the access keys of temporary credentials begin with.
pub(crate) const TEMPORARY_PREFIX: &str = "ASIA";
/// Random bytes behind an access key: one for each of its letters.
pub(crate) const KEY_RANDOM: usize = 16;
/// Random bytes behind a secret, which are forty letters of base64.
pub(crate) const SECRET_RANDOM: usize = 30;

/// AWS's ids use the letters of base32, which nobody mistakes for one another.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `ASIA` and sixteen letters.
pub(crate) fn temporary_access_key(random: [u8; KEY_RANDOM]) -> String {
    let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
    TEMPORARY_PREFIX.chars().chain(letters).collect()
}

/// Forty letters.
pub(crate) fn secret_access_key(random: [u8; SECRET_RANDOM]) -> String {
    STANDARD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_forms_that_sdks_and_secret_scanners_know() {
        let key = temporary_access_key([0, 31, 32, 255, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
        assert_eq!(key, "ASIAA7A7HIJKLMNOPQRS");
        assert_eq!(secret_access_key([0xff; SECRET_RANDOM]), "/".repeat(40));
    }
}
