//! A message: what may stand in it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

/// The most attributes of a message.
pub(crate) const ATTRIBUTES_MAX: usize = 10;
/// The longest name of an attribute, in characters.
const ATTRIBUTE_NAME_MAX: usize = 256;

/// The longest deduplication id, group or attempt id.
const ID_LENGTH_MAX: usize = 128;

/// One attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional label of the sender's after a dot.
    #[n(0)]
    pub(crate) data_type: String,
    #[n(1)]
    pub(crate) value: AttributeValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum AttributeValue {
    #[n(0)]
    String(#[n(0)] String),
    #[n(1)]
    Binary(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MessageError {
    Empty,
    /// A character outside of what XML 1.0 can hold.
    InvalidCharacter,
    TooLong {
        bytes_max: u32,
    },
    TooManyAttributes(usize),
    AttributeName(String),
    AttributeType {
        name: String,
        data_type: String,
    },
    AttributeEmpty(String),
    AttributeNumber {
        name: String,
        value: String,
    },
}

/// Checks a message against what SQS accepts and the queue's greatest size, which counts body,
/// attribute names, types and values.
pub(crate) fn check(
    body: &str,
    attributes: &BTreeMap<String, Attribute>,
    bytes_max: u32,
) -> Result<(), MessageError> {
    if body.is_empty() {
        return Err(MessageError::Empty);
    }
    if !is_text(body) {
        return Err(MessageError::InvalidCharacter);
    }
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(MessageError::TooManyAttributes(attributes.len()));
    }
    for (name, attribute) in attributes {
        attribute.check(name)?;
    }
    if size(body, attributes) > bytes_max as usize {
        Err(MessageError::TooLong { bytes_max })
    } else {
        Ok(())
    }
}

/// What a message counts, in bytes: body, and names, types and values of its attributes.
pub(crate) fn size(body: &str, attributes: &BTreeMap<String, Attribute>) -> usize {
    let attributes = attributes.iter();
    body.len()
        + attributes.map(|(name, one)| name.len() + one.data_type.len() + one.value.len()).sum::<usize>()
}

/// Whether a text may be a deduplication id, a group or an attempt: 1 to 128 letters, digits and signs.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a text is of permitted characters only. Most are printable ASCII, which is seen many bytes at a time.
fn is_text(text: &str) -> bool {
    text.as_bytes()
        .chunks(32)
        .all(|chunk| chunk.iter().fold(true, |plain, byte| plain & matches!(byte, 0x20..0x7f)))
        || text.chars().all(is_permitted)
}

/// `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF`, as the API reference of
/// `SendMessage` lists them.
fn is_permitted(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

impl Attribute {
    fn check(&self, name: &str) -> Result<(), MessageError> {
        let reserved = ["aws.", "amazon."]
            .iter()
            .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
        let valid = !name.is_empty()
            && name.len() <= ATTRIBUTE_NAME_MAX
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..")
            && !reserved;
        if !valid {
            return Err(MessageError::AttributeName(name.into()));
        }
        let base = self.data_type.split('.').next().unwrap_or_default();
        match (base, &self.value) {
            ("String", AttributeValue::String(text)) if text.is_empty() => {
                Err(MessageError::AttributeEmpty(name.into()))
            }
            ("Binary", AttributeValue::Binary(bytes)) if bytes.is_empty() => {
                Err(MessageError::AttributeEmpty(name.into()))
            }
            ("String", AttributeValue::String(text)) if !is_text(text) => Err(MessageError::InvalidCharacter),
            ("Number", AttributeValue::String(text)) if !is_number(text) => {
                Err(MessageError::AttributeNumber { name: name.into(), value: text.clone() })
            }
            ("String" | "Number", AttributeValue::String(_)) | ("Binary", AttributeValue::Binary(_)) => {
                Ok(())
            }
            _ => Err(MessageError::AttributeType { name: name.into(), data_type: self.data_type.clone() }),
        }
    }
}

/// Whether a text is a decimal number; SQS keeps its spelling.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

impl AttributeValue {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::String(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// How the digest tells the two kinds apart.
    pub(crate) fn transport(&self) -> u8 {
        match self {
            Self::String(_) => 1,
            Self::Binary(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(data_type: &str, value: &str) -> Attribute {
        Attribute { data_type: data_type.into(), value: AttributeValue::String(value.into()) }
    }

    fn check_one(name: &str, attribute: Attribute) -> Result<(), MessageError> {
        check("x", &BTreeMap::from([(name.to_owned(), attribute)]), 1_024)
    }

    #[test]
    fn size_counts_body_names_types_and_values() {
        let attributes = BTreeMap::from([("name".to_owned(), string("String", "value"))]);
        let around = "name".len() + "String".len() + "value".len();
        assert_eq!(check(&"x".repeat(1_024 - around), &attributes, 1_024), Ok(()));
        let one_more = check(&"x".repeat(1_025 - around), &attributes, 1_024);
        assert_eq!(one_more, Err(MessageError::TooLong { bytes_max: 1_024 }));
    }

    #[test]
    fn characters_that_xml_cannot_hold_are_refused() {
        for body in ["a\tb\r\nc", "é", "\u{FFFD}", "🐦"] {
            assert_eq!(check(body, &BTreeMap::new(), 1_024), Ok(()), "{body:?}");
        }
        for body in ["\0", "a\u{8}", "\u{B}", "\u{FFFE}", "\u{FFFF}"] {
            assert_eq!(check(body, &BTreeMap::new(), 1_024), Err(MessageError::InvalidCharacter), "{body:?}");
        }
        assert_eq!(check("", &BTreeMap::new(), 1_024), Err(MessageError::Empty));
    }

    #[test]
    fn attributes_have_their_forms() {
        for (name, attribute) in [
            ("a", string("String", "x")),
            ("a.b-c_d", string("String.label", "x")),
            ("n", string("Number", "-1.5e3")),
            ("n", string("Number.int", "7")),
            ("awsome", string("String", "x")),
        ] {
            assert_eq!(check_one(name, attribute), Ok(()), "{name}");
        }
        for name in ["", ".a", "a.", "a..b", "a b", "AWS.x", "amazon.x", &"x".repeat(257)] {
            assert_eq!(check_one(name, string("String", "x")), Err(MessageError::AttributeName(name.into())));
        }
        for (data_type, value) in [("Text", "x"), ("", "x"), ("Binary", "x"), ("string", "x")] {
            let refused =
                matches!(check_one("a", string(data_type, value)), Err(MessageError::AttributeType { .. }));
            assert!(refused, "{data_type}");
        }
        assert!(matches!(
            check_one("a", string("Number", "seven")),
            Err(MessageError::AttributeNumber { .. })
        ));
        assert!(matches!(check_one("a", string("String", "")), Err(MessageError::AttributeEmpty(_))));
    }
}
