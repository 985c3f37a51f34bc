//! Form-encoded pairs: a query string, or the body of a query request, read into a tree by the dots of its keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::budget::{Budget, MAX_DEPTH, Read, Unreadable, unreadable};

/// The most pairs of one form.
pub const MAX_PAIRS: usize = 20_000;

/// What a place in a form's tree takes of the budget.
const NODE_PLACES: usize = 2;
/// What the first block of its children takes: eleven places.
const BLOCK_PLACES: usize = 22;

/// The pairs of a form or a query string, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

/// A text that is no form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFormError(pub(crate) String);

impl std::fmt::Display for ParseFormError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseFormError {}

impl Form {
    /// Reads `a=1&b=2`: percent-escapes and `+` decoded, at most [`MAX_PAIRS`] pairs, each text valid UTF-8.
    pub fn parse(text: &str) -> Result<Self, ParseFormError> {
        Self::read(text).map_err(|Unreadable(message)| ParseFormError(message))
    }

    /// The same of a body.
    pub fn parse_body(bytes: &[u8]) -> Result<Self, ParseFormError> {
        Self::read_body(bytes).map_err(|Unreadable(message)| ParseFormError(message))
    }

    pub(crate) fn read_body(bytes: &[u8]) -> Read<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::read(text.trim_end_matches(['\r', '\n'])),
            Err(_) => unreadable("The form is not valid UTF-8."),
        }
    }

    /// Appends the pairs of another form.
    pub(crate) fn extend(&mut self, other: Self) {
        self.pairs.extend(other.pairs);
    }

    pub(crate) fn read(text: &str) -> Read<Self> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PAIRS {
                return unreadable(format!("The request has more than {MAX_PAIRS} parameters."));
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((plus_decode(key)?, plus_decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// The first value of that key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// Every value of that key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter_map(move |(own, value)| (own == key).then_some(value))
    }

    /// All pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs as a tree: `A.member.1.B=x` is x at A, member, 1, B. Of keys that come twice the last counts.
    pub(crate) fn tree(&self, budget: &mut Budget) -> Read<Node<'_>> {
        let mut root = Node::default();
        for (key, value) in &self.pairs {
            let mut node = &mut root;
            for (depth, part) in key.split('.').enumerate() {
                // A structure of the model takes two parts of a key at most.
                if depth > 2 * MAX_DEPTH {
                    return unreadable(format!("The request nests deeper than {MAX_DEPTH} levels."));
                }
                budget.spend(if node.children.is_empty() { BLOCK_PLACES } else { NODE_PLACES })?;
                node = node.children.entry(part).or_default();
            }
            node.value = Some(value);
        }
        Ok(root)
    }
}

/// One place in a form's tree.
#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) value: Option<&'a str>,
    pub(crate) children: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        // A name may hold dots of its own, as no key of a model does below its first part.
        match self.children.get(name) {
            None if name.contains('.') => {
                name.split('.').try_fold(self, |node, part| node.children.get(part))
            }
            found => found,
        }
    }

    /// The children whose names are numbers, in the order of the numbers.
    pub(crate) fn numbered(&self) -> Vec<(u32, &Node<'a>)> {
        let number = |(name, node): (&&str, _)| Some((name.parse::<u32>().ok()?, node));
        let mut found: Vec<_> = self.children.iter().filter_map(number).collect();
        found.sort_by_key(|(number, _)| *number);
        found
    }
}

/// Decodes percent-escapes; `+` is a space.
fn plus_decode(text: &str) -> Read<String> {
    if text.contains('+') { percent_decode(&text.replace('+', " ")) } else { percent_decode(text) }
}

/// Decodes percent-escapes, as in a path.
pub(crate) fn percent_decode(text: &str) -> Read<String> {
    let bytes = text.as_bytes();
    let broken = |(at, _): (usize, &u8)| {
        !bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').any(broken) {
        return unreadable("The request holds a broken percent-escape.");
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(Cow::Borrowed(_)) => Ok(text.to_owned()),
        Ok(Cow::Owned(decoded)) => Ok(decoded),
        Err(_) => unreadable("The request holds percent-escapes that are not valid UTF-8."),
    }
}
