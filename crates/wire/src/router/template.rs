//! URI templates: literal segments, labels, a greedy label, and fixed parts of the query string.

use apus_schema::{Location, OperationSchema};

use crate::form::Form;

/// One segment of a template's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
    /// Takes as many segments as it can, at least one character.
    Greedy(&'static str),
}

/// One operation's template, taken apart.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) operation: &'static OperationSchema,
    segments: Vec<Segment>,
    /// Keys that must be there, with a value if the template gives one.
    fixed: Vec<(&'static str, Option<&'static str>)>,
    /// Parameters and headers that a valid request has: what parts operations of the same template.
    required_query: Vec<&'static str>,
    required_headers: Vec<&'static str>,
}

/// How well a template fits: more literal segments first, then more fixed query keys.
pub(super) type Rank = (usize, usize, usize);

impl Template {
    pub(super) fn new(operation: &'static OperationSchema) -> Self {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments =
            path.trim_matches('/').split('/').filter(|part| !part.is_empty()).map(|part| {
                match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                    Some(label) => match label.strip_suffix('+') {
                        Some(label) => Segment::Greedy(label),
                        None => Segment::Label(label),
                    },
                    None => Segment::Literal(part),
                }
            });
        let fixed = query.split('&').filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
            Some((key, "")) => (key, None),
            Some((key, value)) => (key, Some(value)),
            None => (part, None),
        });
        let required = |location| {
            let members = operation.input.members().iter();
            members.filter(move |member| member.required && member.location == location)
        };
        Self {
            operation,
            segments: segments.collect(),
            fixed: fixed.collect(),
            required_query: required(Location::Query).map(|member| member.wire_name).collect(),
            required_headers: required(Location::Header).map(|member| member.wire_name).collect(),
        }
    }

    /// The labels, still percent-encoded, if the path fits; `parts` are the path's segments.
    pub(super) fn match_path<'p>(&self, parts: &[&'p str]) -> Option<Vec<(&'static str, Vec<&'p str>)>> {
        let mut labels = Vec::new();
        let mut rest = parts;
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(literal) => {
                    rest = rest.strip_prefix(&[*literal])?;
                }
                Segment::Label(label) => {
                    let (first, after) = rest.split_first()?;
                    if first.is_empty() {
                        return None;
                    }
                    labels.push((*label, vec![*first]));
                    rest = after;
                }
                Segment::Greedy(label) => {
                    let after = self.segments.len() - at - 1;
                    let (taken, left) = rest.split_at(rest.len().checked_sub(after)?);
                    if taken.iter().all(|part| part.is_empty()) && taken.len() < 2 {
                        return None;
                    }
                    labels.push((*label, taken.to_vec()));
                    rest = left;
                }
            }
        }
        // A slash at the end says nothing, unless a greedy label took it.
        matches!(rest, [] | [""]).then_some(labels)
    }

    /// Whether the fixed parts of the query string are there.
    pub(super) fn match_query(&self, query: &Form) -> bool {
        self.fixed.iter().all(|(key, value)| match value {
            Some(value) => query.all(key).any(|found| found == *value),
            None => query.get(key).is_some(),
        })
    }

    pub(super) fn rank(&self) -> Rank {
        let count = |wanted: fn(&Segment) -> bool| self.segments.iter().filter(|part| wanted(part)).count();
        let literals = count(|part| matches!(part, Segment::Literal(_)));
        let labels = count(|part| matches!(part, Segment::Label(_)));
        (literals, labels, self.fixed.len())
    }

    /// How many required parameters and headers there are, and how many of them the request has.
    pub(super) fn required(&self, query: &Form, headers: &http::HeaderMap) -> (usize, usize) {
        let queries = self.required_query.iter().filter(|key| query.get(key).is_some()).count();
        let found = self.required_headers.iter().filter(|name| headers.contains_key(**name)).count();
        (self.required_query.len() + self.required_headers.len(), queries + found)
    }
}
