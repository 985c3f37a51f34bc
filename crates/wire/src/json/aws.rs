//! awsJson 1.0 and 1.1: the whole input and the whole output are one JSON object.

use apus_schema::{Body as Stream, Fields, Kind, OperationSchema, Protocol, ServiceSchema, Value};

use super::write::{Body, write_structure};
use crate::event_stream;
use crate::faults::Facts;
use crate::message::{Payload, REQUEST_ID, Response};

/// What most outputs take, in bytes: room for them is made once.
const BODY_BYTES_USUAL: usize = 256;

/// The protocol's content type.
pub(crate) fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson10 => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
}

/// Writes a success.
pub(crate) fn write_output(
    operation: &OperationSchema,
    protocol: Protocol,
    output: &Fields,
    request_id: &str,
) -> Response {
    let mut body = String::with_capacity(BODY_BYTES_USUAL);
    write_structure(&mut body, operation.output, output, Body::Whole, None);
    let mut response = Response::new(operation.status);
    response.set_content_type(content_type(protocol));
    response.set(&REQUEST_ID, request_id);
    if let Some(events) = events(operation, output) {
        response.set_content_type(event_stream::CONTENT_TYPE);
        response.body = Payload::Stream(event_stream::with_initial_response(body, events));
    } else {
        response.body = Payload::Bytes(body.into());
    }
    response
}

/// The stream of events of an output, if it has one. In the JSON of the other members it does not stand.
fn events<'a>(operation: &OperationSchema, output: &'a Fields) -> Option<&'a Stream> {
    output.iter().find_map(|(at, value)| match (operation.output.members()[at].shape.kind, value) {
        (Kind::Structure { eventstream: true, .. }, Value::Stream(events)) => Some(events),
        _ => None,
    })
}

/// Writes an error: its name in `__type`, its message, its members.
pub(crate) fn write_error(
    facts: &Facts<'_>,
    service: Option<&ServiceSchema>,
    protocol: Protocol,
    request_id: &str,
) -> Response {
    let name = facts.type_name(service, protocol);
    let body = facts.json_body(Body::Whole, Some(("__type", &name)));
    let mut response = Response::new(facts.status);
    response.set_content_type(content_type(protocol));
    response.set(&REQUEST_ID, request_id);
    if let Some(query_error) = facts.query_error(service) {
        response.set("x-amzn-query-error", &query_error);
    }
    response.body = Payload::Bytes(body.into());
    response
}
