//! Filter patterns: which messages are meant. Pure, without time or store.
//!
//! Three forms, told apart by their first character: terms (`ERROR -debug`), JSON (`{ $.level = "error" }`) and fields
//! between spaces (`[ip, user, status=4*]`). After AWS's page "Filter pattern syntax".

mod cursor;
mod fields;
mod json;
mod operand;
mod terms;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cursor::Cursor;
pub(crate) use cursor::PatternError;
use fields::Fields;
use json::JsonTest;
use terms::Terms;

/// A pattern, read.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// Every message.
    All,
    Terms(Terms),
    Json(JsonTest),
    Fields(Fields),
}

impl Pattern {
    /// Reads a pattern; an empty one means every message.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let mut cursor = Cursor::new(text);
        let pattern = match text.chars().next() {
            None => return Ok(Self::All),
            Some('{') => Self::Json(JsonTest::parse(&mut cursor)?),
            Some('[') => Self::Fields(Fields::parse(&mut cursor)?),
            Some(_) => Self::Terms(Terms::parse(&mut cursor)?),
        };
        cursor.end()?;
        Ok(pattern)
    }

    /// Whether a message is meant.
    pub(crate) fn matches(&self, message: &str) -> bool {
        match self {
            Self::All => true,
            Self::Terms(terms) => terms.matches(message),
            Self::Json(test) => test.matches(message),
            Self::Fields(fields) => fields.matches(message).is_some(),
        }
    }

    /// What a message that is meant holds at the places that the pattern names; nothing if it is not meant.
    pub(crate) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        match self {
            Self::All => Some(BTreeMap::new()),
            Self::Terms(terms) => terms.matches(message).then(BTreeMap::new),
            Self::Json(test) => test.extract(message),
            Self::Fields(fields) => fields.matches(message),
        }
    }
}
