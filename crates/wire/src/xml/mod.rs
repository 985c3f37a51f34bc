//! XML: a bounded tree without entities, the reader of values from it, and the writer.

pub(crate) mod read;
pub(crate) mod tree;
pub(crate) mod write;

use apus_schema::{Kind, Member, Schema};

/// Whose names a list or a map has: the model's, or those that the query protocol of an older model used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `restXml`.
    Xml,
    /// `query`.
    Query,
}

impl Naming {
    /// The name of a member's element.
    pub(crate) fn member(self, member: &Member) -> &'static str {
        match (self, member.query_name) {
            (Self::Query, Some(name)) => name,
            // An older model names the elements of a flattened list where today's names the member.
            (Self::Query, None) if is_flattened(Some(member), member.shape) => match member.shape.kind {
                Kind::List { query_element: Some(element), .. } => element,
                _ => member.wire_name,
            },
            _ => member.wire_name,
        }
    }

    /// The name of a list's element.
    pub(crate) fn element(self, schema: &Schema) -> &'static str {
        match (self, schema.kind) {
            (Self::Query, Kind::List { query_element: Some(name), .. }) => name,
            (_, Kind::List { element, .. }) => element,
            _ => "member",
        }
    }

    /// The names of a map's keys and values.
    pub(crate) fn entry(self, schema: &Schema) -> (&'static str, &'static str) {
        match (self, schema.kind) {
            (Self::Query, Kind::Map { query_elements: Some(names), .. }) => names,
            (_, Kind::Map { key_element, value_element, .. }) => (key_element, value_element),
            _ => ("key", "value"),
        }
    }
}

/// The name that the model gives to the elements of a flattened list.
pub(crate) fn flattened_element(member: &Member) -> Option<&'static str> {
    match member.shape.kind {
        Kind::List { .. } if is_flattened(Some(member), member.shape) => {
            Some(Naming::Query.element(member.shape)).filter(|element| *element != "member")
        }
        _ => None,
    }
}

/// Whether a list's or a map's parts stand without a container.
pub(crate) fn is_flattened(member: Option<&Member>, schema: &Schema) -> bool {
    use Kind::{List, Map};
    member.is_some_and(|member| member.flattened)
        || matches!(schema.kind, List { flattened: true, .. } | Map { flattened: true, .. })
}
