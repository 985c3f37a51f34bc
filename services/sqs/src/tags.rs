//! A queue's tags, and what may stand in them.

use std::collections::BTreeMap;

/// The most tags of a queue.
const TAGS_MAX: usize = 50;
/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 128;
/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 256;
/// What AWS keeps for itself, in any case.
const RESERVED: &str = "aws:";

pub(crate) type Tags = BTreeMap<String, String>;

/// Why tags are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagError {
    /// A key that is empty, too long, reserved, or holds a character that no tag may.
    Key(String),
    /// The value of that key.
    Value(String),
    /// More than a queue may have.
    TooMany,
}

/// The queue's tags with these beside or instead of them.
pub(crate) fn added(own: &Tags, given: &Tags) -> Result<Tags, TagError> {
    for (key, value) in given {
        let reserved = key.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
        if reserved || key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !key.chars().all(is_permitted)
        {
            return Err(TagError::Key(key.clone()));
        }
        if value.chars().count() > VALUE_CHARS_MAX || !value.chars().all(is_permitted) {
            return Err(TagError::Value(key.clone()));
        }
    }
    let mut tags = own.clone();
    tags.extend(given.clone());
    if tags.len() > TAGS_MAX { Err(TagError::TooMany) } else { Ok(tags) }
}

/// Letters, digits and white space of any script, and some signs.
fn is_permitted(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Result<usize, TagError> {
        let given = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let own = Tags::from([("team".to_owned(), "birds".to_owned())]);
        added(&own, &given).map(|tags| tags.len())
    }

    #[test]
    fn tags_are_held_to_their_bounds() {
        assert_eq!(check(&[("team", "fish"), ("größe", "")]), Ok(2));
        assert_eq!(check(&[(&"k".repeat(128), &"v".repeat(256))]), Ok(2));
        for key in ["", "AWS:x", "a!", &"k".repeat(129)] {
            assert_eq!(check(&[(key, "x")]), Err(TagError::Key(key.into())));
        }
        for text in ["a!", &"v".repeat(257)] {
            assert_eq!(check(&[("k", text)]), Err(TagError::Value("k".into())));
        }
        let many: Vec<_> = (0..50).map(|number| format!("k{number}")).collect();
        let many: Vec<_> = many.iter().map(|key| (key.as_str(), "x")).collect();
        assert_eq!(check(&many[..49]), Ok(50));
        assert_eq!(check(&many), Err(TagError::TooMany));
    }
}
