//! A client's result through the writer.

use apus_schema::{ErrorSchema, Kind, Protocol, ServiceError};
use apus_wire::{ErrorContext, Payload, Response, encode, encode_error};
use serde_json::Value as Json;

use crate::values::{drain, fields_from_json};
use crate::{Case, compare, model};

pub(crate) fn check(case: &Case<'_>) -> Result<(), String> {
    let operation = model::operation(case);
    let protocol = case.protocol();
    let response = if case.json["error"].is_null() {
        let output = fields_from_json(operation.output, &case.json["result"]);
        encode(operation, protocol, &output, "foo-id").map_err(|error| error.to_string())?
    } else {
        let [schema] = operation.errors else { return Err("the case has no error shape".into()) };
        let error = error(schema, case.json);
        encode_error(
            Some(operation.service),
            protocol,
            &error,
            ErrorContext { request_id: "foo-id", head: false },
        )
    };
    let expected = &case.json["response"];
    let status = expected["status_code"].as_u64().unwrap_or(200);
    if u64::from(response.status.as_u16()) != status {
        return Err(format!("status {}, expected {status}", response.status));
    }
    headers(&response, &expected["headers"], expected["body"].as_str().unwrap_or_default().is_empty())?;
    let found = match &response.body {
        Payload::Bytes(bytes) => bytes.to_vec(),
        Payload::Stream(body) => drain(body),
    };
    let expected = expected["body"].as_str().unwrap_or_default();
    match payload_kind(operation) {
        Some(Kind::String | Kind::Blob | Kind::Stream) => compare::raw(&found, expected.as_bytes()),
        _ => match protocol {
            Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RestJson => compare::json(&found, expected),
            Protocol::Query | Protocol::RestXml => compare::xml(&found, expected),
            Protocol::RpcV2Cbor => compare::cbor(&found, expected),
        },
    }
}

fn error(schema: &'static ErrorSchema, case: &Json) -> ServiceError {
    let members = fields_from_json(schema.schema, &case["error"]);
    let mut error = ServiceError::modelled(schema, case["errorMessage"].as_str().unwrap_or_default());
    for (at, value) in members.iter() {
        error = error.with(schema.schema.members()[at].name, value.clone());
    }
    error
}

fn payload_kind(operation: &apus_schema::OperationSchema) -> Option<Kind> {
    operation.output.payload().map(|(_, member)| member.shape.kind)
}

/// Each header that the vector lists; a length is the transport's, and a content type says little where
/// there is no content.
fn headers(response: &Response, expected: &Json, no_body: bool) -> Result<(), String> {
    for (name, expected) in expected.as_object().into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            continue;
        }
        let expected = expected.as_str().expect("a header's text");
        let found =
            response.headers.get(&name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let spaces = |text: &str| text.replace(", ", ",");
        let same = found.as_deref().is_some_and(|found| spaces(found) == spaces(expected));
        let excused = name == "content-type" && no_body;
        if !same && !excused {
            return Err(format!("header {name} is {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}
