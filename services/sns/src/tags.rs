//! A topic's tags, and what may stand in them.

use std::collections::BTreeMap;

use apus_model_sns::Tag;

/// The most tags of a topic.
const TAGS_MAX: usize = 50;
/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 128;
/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 256;
/// What AWS keeps for itself, in any case.
const RESERVED: &str = "aws:";

pub(crate) type Tags = BTreeMap<String, String>;

/// Why tags are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagError {
    Key,
    Value,
    Repeated,
    TooMany,
}

/// The topic's tags with these beside or instead of them.
pub(crate) fn added(own: &Tags, given: Vec<Tag>) -> Result<Tags, TagError> {
    let mut new = Tags::new();
    for Tag { key, value } in given {
        let reserved = key.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
        if reserved || key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !key.chars().all(is_permitted)
        {
            return Err(TagError::Key);
        }
        if value.chars().count() > VALUE_CHARS_MAX || !value.chars().all(is_permitted) {
            return Err(TagError::Value);
        }
        if new.insert(key, value).is_some() {
            return Err(TagError::Repeated);
        }
    }
    let mut tags = own.clone();
    tags.extend(new);
    if tags.len() > TAGS_MAX { Err(TagError::TooMany) } else { Ok(tags) }
}

/// Letters, digits and white space of any script, and some signs.
fn is_permitted(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_held_to_their_bounds() {
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        let own = Tags::from([("team".to_owned(), "birds".to_owned())]);
        let check = |given: Vec<Tag>| added(&own, given).map(|tags| tags.len());
        assert_eq!(check(vec![tag("team", "fish"), tag("größe", "")]), Ok(2));
        assert_eq!(check(vec![tag(&"k".repeat(128), &"v".repeat(256))]), Ok(2));
        for key in ["", "AWS:x", "a!", &"k".repeat(129)] {
            assert_eq!(check(vec![tag(key, "x")]), Err(TagError::Key));
        }
        assert_eq!(check(vec![tag("k", &"v".repeat(257))]), Err(TagError::Value));
        assert_eq!(check(vec![tag("k", "1"), tag("k", "2")]), Err(TagError::Repeated));
        let many = |count: usize| (0..count).map(|number| tag(&format!("k{number}"), "x")).collect();
        assert_eq!(check(many(49)), Ok(50));
        assert_eq!(check(many(50)), Err(TagError::TooMany));
    }
}
