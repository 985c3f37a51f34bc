//! Writes answers of the query protocol: `OperationResponse`, in it `OperationResult` and `ResponseMetadata`.

use apus_schema::{Fields, OperationSchema, ServiceSchema};

use crate::faults::Facts;
use crate::message::{Payload, REQUEST_ID, Response};
use crate::xml::Naming;
use crate::xml::write::Writer;

const CONTENT_TYPE: &str = "text/xml";

/// Writes a success.
pub(crate) fn write_output(operation: &OperationSchema, output: &Fields, request_id: &str) -> Response {
    let mut writer = Writer::new(Naming::Query, false);
    let root = format!("{}Response", operation.name);
    writer.open(&root, operation.service.xml_namespace);
    let wrapper = operation.result_wrapper.map(str::to_owned);
    // A model that names no wrapper has an output without members.
    let wrapper = wrapper
        .or_else(|| (!operation.output.members().is_empty()).then(|| format!("{}Result", operation.name)));
    if let Some(wrapper) = &wrapper {
        writer.open(wrapper, None);
        writer.members(operation.output, output);
        writer.close(wrapper);
    }
    writer.open("ResponseMetadata", None);
    writer.element("RequestId", request_id);
    writer.close("ResponseMetadata");
    writer.close(&root);

    let mut response = Response::new(operation.status);
    response.set_content_type(CONTENT_TYPE);
    response.set(&REQUEST_ID, request_id);
    response.body = Payload::Bytes(writer.finish().into());
    response
}

/// Writes an error: `ErrorResponse`, in it `Error` and the request's id.
pub(crate) fn write_error(
    facts: &Facts<'_>,
    namespace: Option<&str>,
    naming: Naming,
    request_id: &str,
) -> String {
    let mut writer = Writer::new(naming, false);
    writer.open("ErrorResponse", namespace);
    writer.open("Error", None);
    writer.element("Type", if facts.sender { "Sender" } else { "Receiver" });
    writer.element("Code", facts.code);
    if !facts.message.is_empty() {
        writer.element("Message", facts.message);
    }
    if let Some(schema) = facts.schema {
        writer.members(schema, &facts.fields);
    }
    for (name, text) in facts.elements {
        writer.element(name, text);
    }
    writer.close("Error");
    writer.element("RequestId", request_id);
    writer.close("ErrorResponse");
    writer.finish()
}

/// The same as an answer.
pub(crate) fn write_error_response(
    facts: &Facts<'_>,
    service: Option<&ServiceSchema>,
    request_id: &str,
) -> Response {
    let namespace = service.and_then(|service| service.xml_namespace);
    let mut response = Response::new(facts.status);
    response.set_content_type(CONTENT_TYPE);
    response.set(&REQUEST_ID, request_id);
    response.body = Payload::Bytes(write_error(facts, namespace, Naming::Query, request_id).into());
    response
}
