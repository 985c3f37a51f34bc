//! restJson and restXml: members bound to labels, query string, headers, status and payload; the rest is the body.

use apus_schema::{Location, Schema};

pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod read;
pub(crate) mod write;
pub(crate) mod xml;

/// Whether an output's member stands in the body: labels and query strings are a request's alone.
pub(crate) fn is_in_output_body(location: Location) -> bool {
    matches!(location, Location::Body | Location::Uri | Location::Query)
}

/// Whether any member of an input stands in the body.
pub(crate) fn has_input_body(schema: &Schema) -> bool {
    schema.members().iter().any(|member| member.location == Location::Body)
}

/// Whether any member of an output stands in the body.
pub(crate) fn has_output_body(schema: &Schema) -> bool {
    schema.members().iter().any(|member| is_in_output_body(member.location))
}
