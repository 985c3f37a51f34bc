//! Writes what a REST answer says outside its body: status and headers, and payloads that are no document.

use apus_schema::{Fields, Kind, Location, Member, Schema, Value};
use http::{HeaderName, HeaderValue};

use super::header;
use crate::event_stream;
use crate::message::{Payload, Response};

/// Writes status and headers from the members that are bound to them.
pub(crate) fn write_bound(schema: &Schema, fields: &Fields, response: &mut Response) {
    for (at, value) in fields.iter() {
        let member = &schema.members()[at];
        match member.location {
            Location::StatusCode => write_status(value, response),
            Location::Header => write_header(member, value, response),
            Location::HeaderPrefix => write_prefix(member, value, response),
            Location::Body | Location::Uri | Location::Query => {}
        }
    }
    // An answer that says which part it is, is a part (RFC 9110, 15.3.7).
    if response.status == http::StatusCode::OK && response.headers.contains_key(http::header::CONTENT_RANGE) {
        response.status = http::StatusCode::PARTIAL_CONTENT;
    }
}

fn write_status(value: &Value, response: &mut Response) {
    if let Value::Integer(number) = value
        && let Ok(number) = u16::try_from(*number)
        && let Ok(status) = http::StatusCode::from_u16(number)
    {
        response.status = status;
    }
}

fn write_header(member: &Member, value: &Value, response: &mut Response) {
    // An empty list has no header; an empty text has one, which says that it is empty.
    if matches!(value, Value::List(items) if items.is_empty()) {
        return;
    }
    if let Some(text) = header::write(member, value) {
        insert(response, member.wire_name, &text);
    }
}

fn write_prefix(member: &Member, value: &Value, response: &mut Response) {
    let Value::Map(entries) = value else { return };
    for (key, found) in entries {
        if let Value::String(text) = found {
            insert(response, &format!("{}{key}", member.wire_name), text);
        }
    }
}

/// Sets a header if name and text can be one; what a header cannot hold was refused when it was stored.
fn insert(response: &mut Response, name: &str, text: &str) {
    let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(text.as_bytes())) {
        response.headers.insert(name, value);
    }
}

/// The body and its content type for a payload that is no document; nothing if it is one.
pub(crate) fn raw_payload(member: &Member, value: Option<&Value>) -> Option<(Payload, &'static str)> {
    const BINARY: &str = "application/octet-stream";
    Some(match (member.shape.kind, value) {
        (Kind::Structure { eventstream: true, .. }, Some(Value::Stream(body))) => {
            (Payload::Stream(body.clone()), event_stream::CONTENT_TYPE)
        }
        (_, Some(Value::Stream(body))) => (Payload::Stream(body.clone()), BINARY),
        (_, Some(Value::Blob(bytes))) => (Payload::Bytes(bytes.clone()), BINARY),
        (Kind::String, Some(Value::String(text))) => {
            (Payload::Bytes(bytes::Bytes::copy_from_slice(text.as_bytes())), "text/plain")
        }
        (Kind::Stream | Kind::Blob, None) => (Payload::empty(), BINARY),
        _ => return None,
    })
}
