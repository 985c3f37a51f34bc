//! A pattern, and whether an event matches it.
//!
//! `$or` is taken apart when the pattern is read: an event matches if it matches one of the alternatives, each a
//! plain tree. Fields that a tree names below one array are then looked for in one and the same element.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::condition::Condition;
use crate::number::Precision;
use crate::{Dialect, PatternError, parse};

/// A pattern that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub(crate) alternatives: Vec<Node>,
    /// The places of which some entry says `{"exists": false}`: their absence is one of the whole event, so it is
    /// found out once.
    pub(crate) absences: Vec<Vec<String>>,
    pub(crate) precision: Precision,
}

/// What is said of one place in an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) values: Option<Arc<Values>>,
    pub(crate) fields: BTreeMap<String, Node>,
}

/// A key's list: a value must meet one of its entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) conditions: Vec<Condition>,
    /// The place in [`Pattern::absences`], if one of the entries is `{"exists": false}`.
    pub(crate) absence: Option<usize>,
}

impl Pattern {
    /// Reads a pattern as the dialect has it.
    pub fn parse(text: &str, dialect: &Dialect) -> Result<Self, PatternError> {
        parse::pattern(text, dialect)
    }

    /// Whether the event matches. An event that is no object matches nothing.
    pub fn matches(&self, event: &Value) -> bool {
        if !event.is_object() {
            return false;
        }
        let absent = self.absences.iter().map(|path| !is_present(Some(event), path)).collect();
        let matching = Matching { precision: self.precision, absent };
        self.alternatives.iter().any(|tree| matching.node(tree, Some(event)))
    }
}

/// Whether a value stands at the path, in any element of the arrays on the way.
fn is_present(value: Option<&Value>, path: &[String]) -> bool {
    match (value, path) {
        (None, _) => false,
        (Some(Value::Array(elements)), _) => elements.iter().any(|element| is_present(Some(element), path)),
        (Some(Value::Object(fields)), [key, rest @ ..]) => is_present(fields.get(key), rest),
        (Some(Value::Object(_)), []) | (Some(_), [_, ..]) => false,
        (Some(_), []) => true,
    }
}

/// One event being matched.
struct Matching {
    precision: Precision,
    /// For each of [`Pattern::absences`].
    absent: Vec<bool>,
}

impl Matching {
    fn node(&self, node: &Node, value: Option<&Value>) -> bool {
        match value {
            Some(Value::Array(elements)) if !elements.is_empty() => {
                elements.iter().any(|element| self.node(node, Some(element)))
            }
            Some(Value::Object(fields)) => {
                node.values.as_ref().is_none_or(|values| self.is_absent(values))
                    && node.fields.iter().all(|(key, below)| self.node(below, fields.get(key)))
            }
            // An empty array holds no value.
            None | Some(Value::Array(_)) => {
                node.values.as_ref().is_none_or(|values| self.is_absent(values)) && self.nothing_below(node)
            }
            Some(leaf) => {
                node.values.as_ref().is_none_or(|values| {
                    self.is_absent(values)
                        || values.conditions.iter().any(|one| one.is_met(leaf, self.precision))
                }) && self.nothing_below(node)
            }
        }
    }

    fn nothing_below(&self, node: &Node) -> bool {
        node.fields.values().all(|below| self.node(below, None))
    }

    fn is_absent(&self, values: &Values) -> bool {
        values.absence.is_some_and(|at| self.absent[at])
    }
}
