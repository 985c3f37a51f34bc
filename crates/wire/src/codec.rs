//! The one door to every codec: requests into members, members and errors into answers.

use apus_schema::{
    Body, Common, Fields, Kind, OperationSchema, Protocol, ServiceError, ServiceSchema, Value,
};
use bytes::Bytes;

use crate::budget::{Read, Unreadable};
use crate::faults::Facts;
use crate::form::Form;
use crate::message::{Payload, RequestHead, Response};
use crate::router::Route;
use crate::styles::Style;
use crate::{cbor, json, query, rest};

/// How an operation's request body is to be handed to [`decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// Held whole, up to that many bytes; a larger one is [`Common::RequestTooLarge`].
    Buffered {
        /// In bytes.
        limit: usize,
    },
    /// As it flows.
    Streaming,
}

/// How that operation's request body is to be handed over.
pub fn body_mode(operation: &OperationSchema) -> BodyMode {
    match operation.input.payload() {
        Some((_, member)) if flows(member.shape.kind) => BodyMode::Streaming,
        _ => BodyMode::Buffered { limit: Style::of(Some(operation.service)).max_body_bytes },
    }
}

fn flows(kind: Kind) -> bool {
    matches!(kind, Kind::Stream | Kind::Structure { eventstream: true, .. })
}

/// Reads a request's members. Constraints of the model are not checked here: see [`apus_schema::violations`].
///
/// A body that cannot be read is [`Common::Malformed`]; so is a header, a label or a parameter, unless the
/// service has an error for those.
pub fn decode(route: &Route, head: &RequestHead<'_>, body: Payload) -> Result<Fields, ServiceError> {
    let malformed = |Unreadable(message)| ServiceError::common(Common::Malformed, message);
    let mut fields = match body {
        Payload::Bytes(bytes) => read_body(route, head, bytes).map_err(malformed)?,
        Payload::Stream(body) => stream(route.operation, body)?,
    };
    match route.protocol {
        Protocol::RestJson | Protocol::RestXml => {
            let bound = rest::read::read_bound(route.operation, head, &route.labels, &mut fields);
            bound.map_err(|Unreadable(message)| {
                match Style::of(Some(route.service)).unreadable_parameter {
                    Some(code) => ServiceError::named(code, 400, message),
                    None => ServiceError::common(Common::Malformed, message),
                }
            })?;
        }
        Protocol::Query => fill_in_url(route, head, &mut fields),
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => {}
    }
    Ok(fields)
}

fn read_body(route: &Route, head: &RequestHead<'_>, body: Bytes) -> Read<Fields> {
    let input = route.operation.input;
    match route.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::read_structure(input, &body, |_| true),
        Protocol::RpcV2Cbor => cbor::read_structure(input, &body),
        Protocol::Query => {
            let mut form = Form::read(head.query.unwrap_or_default())?;
            form.extend(Form::read_body(&body)?);
            query::read::read_input(input, &form)
        }
        Protocol::RestJson | Protocol::RestXml => match input.payload() {
            Some((at, member)) if flows(member.shape.kind) => {
                let mut fields = Fields::new(input);
                fields.set(at, Value::Stream(Body::full(body)));
                Ok(fields)
            }
            _ if route.protocol == Protocol::RestJson => rest::json::read_body(route.operation, &body),
            _ => rest::xml::read_body(route.operation, &body),
        },
    }
}

/// A body that flows stays one: the caller asked [`body_mode`].
fn stream(operation: &OperationSchema, body: Body) -> Result<Fields, ServiceError> {
    match operation.input.payload() {
        Some((at, member)) if flows(member.shape.kind) => {
            let mut fields = Fields::new(operation.input);
            fields.set(at, Value::Stream(body));
            Ok(fields)
        }
        _ => Err(ServiceError::internal(format!("{} takes no stream", operation.name))),
    }
}

/// A queue may be named by the URL that the request is sent to.
fn fill_in_url(route: &Route, head: &RequestHead<'_>, fields: &mut Fields) {
    let Some(name) = Style::of(Some(route.service)).url_member else { return };
    let Some((at, _)) = route.operation.input.member(name) else { return };
    if fields.get(at).is_none() && head.path.trim_matches('/').contains('/') {
        let host = head.header("host").unwrap_or("localhost");
        fields.set(at, Value::String(format!("http://{host}{}", head.path.trim_end_matches('/'))));
    }
}

/// Writes a success.
///
/// An output that the protocol cannot hold is [`Common::Internal`].
pub fn encode(
    operation: &OperationSchema,
    protocol: Protocol,
    output: &Fields,
    request_id: &str,
) -> Result<Response, ServiceError> {
    let holds = |kind| match protocol {
        Protocol::RestJson | Protocol::RestXml => true,
        // Events follow one another in a framing of their own; mere bytes have no place beside JSON.
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            matches!(kind, Kind::Structure { eventstream: true, .. })
        }
        Protocol::Query | Protocol::RpcV2Cbor => false,
    };
    let kind = |at: usize| operation.output.members()[at].shape.kind;
    if output.iter().any(|(at, value)| matches!(value, Value::Stream(_)) && !holds(kind(at))) {
        return Err(ServiceError::internal(format!("{} flows, {protocol:?} does not", operation.name)));
    }
    let mut response = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            json::aws::write_output(operation, protocol, output, request_id)
        }
        Protocol::Query => query::write::write_output(operation, output, request_id),
        Protocol::RestJson => rest::json::write_output(operation, output, request_id),
        Protocol::RestXml => rest::xml::write_output(operation, output, request_id),
        Protocol::RpcV2Cbor => cbor::write_output(operation, output, request_id),
    };
    drop_forbidden_body(&mut response, operation.method == "HEAD");
    Ok(response)
}

/// What an error's answer depends on besides the error.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorContext<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The request's method was HEAD: the answer has no body.
    pub head: bool,
}

/// Writes an error, as that service does in that protocol.
pub fn encode_error(
    service: Option<&ServiceSchema>,
    protocol: Protocol,
    error: &ServiceError,
    context: ErrorContext<'_>,
) -> Response {
    let facts = Facts::of(service, protocol, error);
    let id = context.request_id;
    let mut response = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::aws::write_error(&facts, service, protocol, id),
        Protocol::Query => query::write::write_error_response(&facts, service, id),
        Protocol::RestJson => rest::json::write_error(&facts, service, id),
        Protocol::RestXml => rest::xml::write_error(&facts, service, id),
        Protocol::RpcV2Cbor => cbor::write_error(&facts, service, id),
    };
    drop_forbidden_body(&mut response, context.head);
    response
}

/// No body may come with these (RFC 9110, 6.4.1).
fn drop_forbidden_body(response: &mut Response, head: bool) {
    if head || matches!(response.status.as_u16(), 204 | 304) {
        response.body = Payload::empty();
        if !head {
            response.headers.remove("content-type");
        }
    }
}
