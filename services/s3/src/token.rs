//! The continuation token: where a listing goes on, opaque to clients and checked when it comes back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::checksum::crc32;
use crate::listing::Position;
use crate::object::ObjectKey;

/// Larger than any token given out: a key, four bytes of check and one of kind, in base64.
const TOKEN_LENGTH_MAX: usize = 2 * ObjectKey::LENGTH_MAX;
const CHECK_LENGTH: usize = 4;
const AFTER_KEY: u8 = b'k';
const AFTER_PREFIX: u8 = b'p';

/// A text that is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidToken;

/// Writes a position; the start needs no token.
pub(crate) fn write(position: &Position) -> Option<String> {
    let (kind, text) = match position {
        Position::Start => return None,
        Position::AfterKey(key) => (AFTER_KEY, key),
        Position::AfterPrefix(prefix) => (AFTER_PREFIX, prefix),
    };
    let mut bytes = vec![kind];
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    let token = BASE64.encode(bytes);
    assert!(token.len() <= TOKEN_LENGTH_MAX, "keys are bounded, and so are tokens");
    Some(token)
}

/// Reads a position.
pub(crate) fn read(token: &str) -> Result<Position, InvalidToken> {
    if token.len() > TOKEN_LENGTH_MAX {
        return Err(InvalidToken);
    }
    let bytes = BASE64.decode(token).map_err(|_| InvalidToken)?;
    let (bytes, check) = bytes.split_last_chunk::<CHECK_LENGTH>().ok_or(InvalidToken)?;
    if crc32(bytes) != u32::from_be_bytes(*check) {
        return Err(InvalidToken);
    }
    let (kind, text) = bytes.split_first().ok_or(InvalidToken)?;
    let text = str::from_utf8(text).map_err(|_| InvalidToken)?.to_owned();
    match *kind {
        AFTER_KEY => Ok(Position::AfterKey(text)),
        AFTER_PREFIX if !text.is_empty() => Ok(Position::AfterPrefix(text)),
        _ => Err(InvalidToken),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_come_back(text in "\\PC{1,200}") {
            for position in [Position::AfterKey(text.clone()), Position::AfterPrefix(text)] {
                let token = write(&position).expect("not the start");
                prop_assert_eq!(read(&token), Ok(position));
                prop_assert_eq!(read(&token[1..]), Err(InvalidToken));
            }
        }

        #[test]
        fn other_texts_are_refused(text in ".{0,100}") {
            prop_assert_eq!(read(&text), Err(InvalidToken));
        }
    }

    #[test]
    fn tokens_are_bounded() {
        let longest = Position::AfterKey("x".repeat(ObjectKey::LENGTH_MAX));
        assert_eq!(write(&longest).map(|token| read(&token)), Some(Ok(longest)));
        assert_eq!(read(&"A".repeat(1 << 20)), Err(InvalidToken));
        assert_eq!(write(&Position::Start), None);
    }
}
