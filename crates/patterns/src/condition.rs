//! One entry of a key's list: what a single value must be.

use serde_json::Value;

use crate::address::Block;
use crate::number::{Number, NumberRange, Precision};
use crate::wildcard::Wildcard;

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// This, or anything but these.
    Is(Test),
    IsNot(Vec<Test>),
    /// `{"exists": true}`
    Exists,
    /// `{"exists": false}`; asked of the event, not of a value.
    Absent,
}

/// A test of a value that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
    /// Folded.
    IgnoreCase(String),
    Prefix(String),
    /// Folded.
    PrefixIgnoreCase(String),
    Suffix(String),
    /// Folded.
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Range(NumberRange),
    Cidr(Block),
}

impl Condition {
    /// Whether a value meets it: neither an object nor an array.
    pub(crate) fn is_met(&self, value: &Value, precision: Precision) -> bool {
        match self {
            Self::Is(test) => test.passes(value, precision),
            Self::IsNot(tests) => !tests.iter().any(|test| test.passes(value, precision)),
            Self::Exists => true,
            Self::Absent => false,
        }
    }
}

impl Test {
    fn passes(&self, value: &Value, precision: Precision) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Boolean(own), Value::Bool(other)) => own == other,
            (Self::Number(own), Value::Number(other)) => own.equals(Number::of(other), precision),
            (Self::Range(range), Value::Number(other)) => range.contains(Number::of(other), precision),
            (_, Value::String(text)) => self.passes_text(text),
            _ => false,
        }
    }

    fn passes_text(&self, text: &str) -> bool {
        match self {
            Self::String(own) => own == text,
            Self::IgnoreCase(own) => *own == fold(text),
            Self::Prefix(own) => text.starts_with(own.as_str()),
            Self::PrefixIgnoreCase(own) => fold(text).starts_with(own.as_str()),
            Self::Suffix(own) => text.ends_with(own.as_str()),
            Self::SuffixIgnoreCase(own) => fold(text).ends_with(own.as_str()),
            Self::Wildcard(own) => own.matches(text),
            Self::Cidr(block) => block.contains(text),
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::Range(_) => false,
        }
    }
}

/// A text in which case makes no difference: character by character, whatever stands beside it.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
