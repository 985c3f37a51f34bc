//! restJson: bodies and errors.

use apus_schema::{Fields, Kind, Location, OperationSchema, ServiceSchema, Value};
use bytes::Bytes;

use super::write::{raw_payload, write_bound};
use super::{has_input_body, has_output_body};
use crate::budget::{Read, unreadable};
use crate::faults::Facts;
use crate::json::{Body, read_payload, read_structure, write_structure, write_value};
use crate::message::{Payload, REQUEST_ID, Response};
use crate::styles::Style;

const CONTENT_TYPE: &str = "application/json";

/// Reads a body that is held whole.
pub(crate) fn read_body(operation: &OperationSchema, body: &Bytes) -> Read<Fields> {
    let input = operation.input;
    let Some((at, member)) = input.payload() else {
        if !has_input_body(input) {
            return Ok(Fields::new(input));
        }
        return read_structure(input, body, |member| member.location == Location::Body);
    };
    let mut fields = Fields::new(input);
    let value = match member.shape.kind {
        Kind::Blob => (!body.is_empty()).then(|| Value::Blob(body.clone())),
        Kind::String if body.is_empty() => None,
        Kind::String => match std::str::from_utf8(body) {
            Ok(text) => Some(Value::from(text)),
            Err(_) => return unreadable("The body is not valid UTF-8."),
        },
        _ => read_payload(member.shape, body)?,
    };
    if let Some(value) = value {
        fields.set(at, value);
    }
    Ok(fields)
}

/// Writes a success.
pub(crate) fn write_output(operation: &OperationSchema, output: &Fields, request_id: &str) -> Response {
    let style = Style::of(Some(operation.service));
    let schema = operation.output;
    let mut response = Response::new(operation.status);
    response.set(&REQUEST_ID, request_id);
    if let Some((at, member)) = schema.payload() {
        match (raw_payload(member, output.get(at)), output.get(at)) {
            (Some((body, content_type)), _) => {
                response.set("content-type", style.payload_type(operation).unwrap_or(content_type));
                response.body = body;
            }
            (None, Some(value)) => {
                let mut body = String::new();
                write_value(&mut body, member.shape, Some(member), value);
                response.set_content_type(CONTENT_TYPE);
                response.body = Payload::Bytes(body.into());
            }
            (None, None) => response.set_content_type(CONTENT_TYPE),
        }
    } else {
        response.set_content_type(CONTENT_TYPE);
        if has_output_body(schema) {
            let mut body = String::new();
            write_structure(&mut body, schema, output, Body::Unbound, None);
            response.body = Payload::Bytes(body.into());
        }
    }
    // Members bound to headers come last: one of them may be the content type.
    write_bound(schema, output, &mut response);
    response
}

/// Writes an error: its name in a header, message and members in the body.
pub(crate) fn write_error(facts: &Facts<'_>, service: Option<&ServiceSchema>, request_id: &str) -> Response {
    let mut response = Response::new(facts.status);
    response.set_content_type(CONTENT_TYPE);
    response.set(&REQUEST_ID, request_id);
    response.set("x-amzn-errortype", facts.name);
    if let Some(query_error) = facts.query_error(service) {
        response.set("x-amzn-query-error", &query_error);
    }
    if let Some(schema) = facts.schema {
        write_bound(schema, &facts.fields, &mut response);
    }
    response.body = Payload::Bytes(facts.json_body(Body::Unbound, None).into());
    response
}
