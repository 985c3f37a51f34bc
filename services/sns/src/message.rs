//! A message: what may stand in it, and what filters see of it.

use std::collections::BTreeMap;

use apus_model_sns::MessageAttributeValue;
use minicbor::{Decode, Encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::errors::ParameterError;

/// The largest message, and the most of a batch's together, in bytes.
pub(crate) const BYTES_MAX: usize = 262_144;
/// The longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 100;
/// The longest name of an attribute.
const ATTRIBUTE_NAME_MAX: usize = 256;
/// The longest group or deduplication id.
const ID_LENGTH_MAX: usize = 128;
/// The message that protocols without one of their own get.
const DEFAULT: &str = "default";

/// One attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Attribute {
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
    Parameter(ParameterError),
    AttributeName(String),
    AttributeType(String),
    AttributeEmpty { name: String, data_type: String },
    AttributeNumber(String),
    AttributeArray(String),
}

impl From<ParameterError> for MessageError {
    fn from(error: ParameterError) -> Self {
        Self::Parameter(error)
    }
}

/// What is published, checked as far as it can be without its topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Message {
    #[n(0)]
    pub(crate) text: String,
    #[n(1)]
    pub(crate) subject: Option<String>,
    /// The text is JSON with a message for each protocol.
    #[n(2)]
    pub(crate) is_structured: bool,
    #[n(3)]
    pub(crate) attributes: BTreeMap<String, Attribute>,
    #[n(4)]
    pub(crate) group: Option<String>,
    #[n(5)]
    pub(crate) deduplication_id: Option<String>,
    /// The trace of the request that it came in: deliveries go on with it.
    #[n(6)]
    pub(crate) trace: Option<String>,
}

impl Message {
    pub(crate) fn new(
        text: String,
        subject: Option<String>,
        structure: Option<&str>,
        attributes: BTreeMap<String, MessageAttributeValue>,
        group: Option<String>,
        deduplication_id: Option<String>,
    ) -> Result<Self, MessageError> {
        let invalid = |what: &str| MessageError::from(ParameterError::plain(what));
        if text.is_empty() {
            return Err(invalid("Empty message"));
        }
        if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(invalid("Subject"));
        }
        let is_structured = match structure {
            None | Some("") => false,
            Some("json") => true,
            Some(_) => return Err(invalid("Message Structure - JSON message body failed to parse")),
        };
        for (parameter, id) in [("MessageGroupId", &group), ("MessageDeduplicationId", &deduplication_id)] {
            if id.as_deref().is_some_and(|id| !is_id(id)) {
                let reason = format!(
                    "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length"
                );
                return Err(ParameterError::because(parameter, reason).into());
            }
        }
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| Ok((name.clone(), attribute(name, value)?)))
            .collect::<Result<BTreeMap<_, _>, MessageError>>()?;
        let message = Self { text, subject, is_structured, attributes, group, deduplication_id, trace: None };
        if message.bytes() > BYTES_MAX {
            return Err(invalid("Message too long"));
        }
        if is_structured {
            message.structure()?;
        }
        Ok(message)
    }

    /// What it counts: the text, and names, types and values of its attributes.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        self.text.len()
            + attributes.map(|(name, one)| name.len() + one.data_type.len() + one.value.len()).sum::<usize>()
    }

    fn structure(&self) -> Result<Map<String, Value>, ParameterError> {
        let Ok(Value::Object(texts)) = serde_json::from_str(&self.text) else {
            return Err(ParameterError::plain("Message Structure - JSON message body failed to parse"));
        };
        match texts.get(DEFAULT) {
            Some(Value::String(_)) => Ok(texts),
            _ => Err(ParameterError::plain("Message Structure - No default entry in JSON message body")),
        }
    }

    /// The text for subscribers of that protocol.
    pub(crate) fn text_for(&self, protocol: &str) -> String {
        if !self.is_structured {
            return self.text.clone();
        }
        // It was checked when it came.
        let texts = self.structure().unwrap_or_default();
        let own = texts.get(protocol).and_then(Value::as_str);
        own.or_else(|| texts.get(DEFAULT).and_then(Value::as_str)).unwrap_or_default().to_owned()
    }

    /// What a FIFO topic without an id goes by: the SHA-256 of the text.
    pub(crate) fn content_id(&self) -> String {
        use std::fmt::Write as _;
        Sha256::digest(self.text.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The attributes as filter policies see them: binary ones are not there.
    pub(crate) fn attribute_event(&self) -> Value {
        let seen = self.attributes.iter().filter_map(|(name, attribute)| {
            let AttributeValue::String(text) = &attribute.value else { return None };
            let value = match attribute.data_type.as_str() {
                "String.Array" => serde_json::from_str(text).ok()?,
                kind if kind.split('.').next() == Some("Number") => {
                    Value::Number(serde_json::from_str(text.trim()).or_else(|_| number(text)).ok()?)
                }
                _ => Value::String(text.clone()),
            };
            Some((name.clone(), value))
        });
        Value::Object(seen.collect())
    }
}

/// A number in a spelling that JSON has not: `+1`, `.5`.
fn number(text: &str) -> Result<serde_json::Number, ()> {
    text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64).ok_or(())
}

/// ASCII that begins with a letter, a digit or a sign, without line breaks.
fn is_subject(text: &str) -> bool {
    let begins =
        text.chars().next().is_some_and(|first| first.is_alphanumeric() || first.is_ascii_punctuation());
    begins && text.chars().count() <= SUBJECT_CHARS_MAX && !text.chars().any(char::is_control)
}

fn is_id(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn attribute(name: String, given: MessageAttributeValue) -> Result<Attribute, MessageError> {
    let valid = !name.is_empty()
        && name.len() <= ATTRIBUTE_NAME_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !["aws.", "amazon."].iter().any(|reserved| {
            name.get(..reserved.len()).is_some_and(|start| start.eq_ignore_ascii_case(reserved))
        });
    if !valid {
        return Err(MessageError::AttributeName(name));
    }
    let MessageAttributeValue { data_type, string_value, binary_value } = given;
    let base = data_type.split('.').next().unwrap_or_default();
    let empty = |name, data_type| Err(MessageError::AttributeEmpty { name, data_type });
    let value = match (base, string_value, binary_value) {
        ("String" | "Number", text, None) => match text.filter(|text| !text.is_empty()) {
            None => return empty(name, data_type),
            Some(text) if base == "Number" && !text.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
                return Err(MessageError::AttributeNumber(name));
            }
            Some(text) if data_type == "String.Array" && !is_array(&text) => {
                return Err(MessageError::AttributeArray(name));
            }
            Some(text) => AttributeValue::String(text),
        },
        ("Binary", None, bytes) => match bytes.filter(|bytes| !bytes.is_empty()) {
            None => return empty(name, data_type),
            Some(bytes) => AttributeValue::Binary(bytes.to_vec()),
        },
        _ => return Err(MessageError::AttributeType(name)),
    };
    Ok(Attribute { data_type, value })
}

fn is_array(text: &str) -> bool {
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => !items.iter().any(|item| item.is_array() || item.is_object()),
        _ => false,
    }
}

impl AttributeValue {
    fn len(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn message(text: &str, subject: Option<&str>, structure: Option<&str>) -> Result<Message, MessageError> {
        Message::new(text.into(), subject.map(Into::into), structure, BTreeMap::new(), None, None)
    }

    fn with(
        name: &str,
        data_type: &str,
        text: Option<&str>,
        bytes: Option<&[u8]>,
    ) -> Result<Message, MessageError> {
        let value = MessageAttributeValue {
            data_type: data_type.into(),
            string_value: text.map(Into::into),
            binary_value: bytes.map(Bytes::copy_from_slice),
        };
        Message::new("x".into(), None, None, BTreeMap::from([(name.to_owned(), value)]), None, None)
    }

    #[test]
    fn texts_and_subjects_have_their_bounds() {
        assert!(message(&"x".repeat(BYTES_MAX), Some("Order: shipped"), None).is_ok());
        for (text, subject, structure) in [
            ("", None, None),
            (&*"x".repeat(BYTES_MAX + 1), None, None),
            ("x", Some(""), None),
            ("x", Some(" x"), None),
            ("x", Some("a\nb"), None),
            ("x", Some(&*"x".repeat(101)), None),
            ("x", None, Some("json")),
            ("{}", None, Some("json")),
            ("{\"default\": 1}", None, Some("json")),
            ("x", None, Some("xml")),
        ] {
            assert!(message(text, subject, structure).is_err(), "{subject:?} {structure:?}");
        }
        let structured = message(r#"{"default": "d", "sqs": "s"}"#, None, Some("json")).expect("it is valid");
        assert_eq!(
            (structured.text_for("sqs"), structured.text_for("http")),
            ("s".to_owned(), "d".to_owned())
        );
    }

    #[test]
    fn attributes_have_their_forms_and_filters_see_them() {
        for (data_type, text, expected) in [
            ("String", "x", json!("x")),
            ("String.label", "1", json!("1")),
            ("Number", "1.5", json!(1.5)),
            ("Number.int", "+7", json!(7.0)),
            ("String.Array", r#"["a", 1, null, true]"#, json!(["a", 1, null, true])),
        ] {
            let message = with("a", data_type, Some(text), None).expect("it is valid");
            assert_eq!(message.attribute_event(), json!({"a": expected}), "{data_type}");
        }
        assert_eq!(
            with("a", "Binary", None, Some(b"x")).map(|message| message.attribute_event()),
            Ok(json!({}))
        );
        for (data_type, text, bytes) in [
            ("String", None, None),
            ("String", Some(""), None),
            ("Number", Some("seven"), None),
            ("Number", Some("inf"), None),
            ("Binary", None, Some(&b""[..])),
            ("Binary", Some("x"), None),
            ("Text", Some("x"), None),
            ("String.Array", Some("[[1]]"), None),
            ("String.Array", Some("x"), None),
        ] {
            assert!(with("a", data_type, text, bytes).is_err(), "{data_type} {text:?}");
        }
        for name in ["", ".a", "a b", "AWS.x"] {
            assert_eq!(with(name, "String", Some("x"), None), Err(MessageError::AttributeName(name.into())));
        }
    }
}
