//! restXml: bodies and errors, S3's among them.

use apus_schema::{Fields, Kind, OperationSchema, ServiceSchema, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::write::{raw_payload, write_bound};
use super::{has_input_body, has_output_body};
use crate::budget::{Budget, Read, unreadable};
use crate::faults::Facts;
use crate::message::{Payload, REQUEST_ID, Response};
use crate::query;
use crate::styles::Style;
use crate::xml::Naming;
use crate::xml::read::{read_structure, read_value};
use crate::xml::tree;
use crate::xml::write::Writer;

const CONTENT_TYPE: &str = "application/xml";

/// Reads a body that is held whole. The root's name is not checked, as AWS does not.
pub(crate) fn read_body(operation: &OperationSchema, body: &Bytes) -> Read<Fields> {
    let input = operation.input;
    let Some((at, member)) = input.payload() else {
        if !has_input_body(input) || body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields::new(input));
        }
        return read_structure(input, &tree::parse(body)?, &mut Budget::new());
    };
    let mut fields = Fields::new(input);
    let value = match member.shape.kind {
        _ if body.is_empty() => None,
        Kind::Blob => Some(Value::Blob(body.clone())),
        Kind::String => match std::str::from_utf8(body) {
            Ok(text) => Some(Value::from(text)),
            Err(_) => return unreadable("The body is not valid UTF-8."),
        },
        _ => Some(read_value(member.shape, Some(member), &tree::parse(body)?, &mut Budget::new())?),
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
    let namespace = operation.service.xml_namespace;
    let mut response = Response::new(operation.status);
    write_ids(&mut response, style, request_id);
    if let Some((at, member)) = schema.payload() {
        match (raw_payload(member, output.get(at)), output.get(at)) {
            (Some((body, content_type)), _) => {
                response.set("content-type", style.payload_type(operation).unwrap_or(content_type));
                response.body = body;
            }
            (None, Some(Value::Structure(fields))) => {
                let mut writer = Writer::new(Naming::Xml, style.xml_millis);
                // The element is the member's, if the model names it, else the shape's.
                let name = if member.wire_name == member.name { member.shape.name } else { member.wire_name };
                writer.structure(name, member.xml_namespace, namespace, member.shape, fields);
                finish(&mut response, writer);
            }
            _ => {}
        }
    } else if has_output_body(schema) {
        let mut writer = Writer::new(Naming::Xml, style.xml_millis);
        let root = style.output_root(operation);
        if style.is_unwrapped(operation) {
            writer.open(root, namespace);
            for (at, value) in output.iter() {
                let member = &schema.members()[at];
                if let Some(text) = writer.scalar(member.shape, Some(member), value) {
                    writer.text(&text);
                }
            }
            writer.close(root);
        } else {
            writer.structure(root, None, namespace, schema, output);
        }
        finish(&mut response, writer);
    }
    // Members bound to headers come last: one of them may be the content type.
    write_bound(schema, output, &mut response);
    response
}

/// Writes an error: S3's without an element around it, the others' as the query protocol does.
pub(crate) fn write_error(facts: &Facts<'_>, service: Option<&ServiceSchema>, request_id: &str) -> Response {
    let style = Style::of(service);
    let mut response = Response::new(facts.status);
    write_ids(&mut response, style, request_id);
    response.set_content_type(CONTENT_TYPE);
    let namespace = service.and_then(|service| service.xml_namespace);
    let body = if style.s3_family || service.is_none() {
        write_bare_error(facts, request_id)
    } else {
        query::write::write_error(facts, namespace, Naming::Xml, request_id)
    };
    if let Some(schema) = facts.schema {
        write_bound(schema, &facts.fields, &mut response);
    }
    response.body = Payload::Bytes(body.into());
    response
}

fn write_bare_error(facts: &Facts<'_>, request_id: &str) -> String {
    let mut writer = Writer::new(Naming::Xml, true);
    writer.open("Error", None);
    writer.element("Code", facts.code);
    writer.element("Message", facts.message);
    if let Some(schema) = facts.schema {
        writer.members(schema, &facts.fields);
    }
    for (name, text) in facts.elements {
        writer.element(name, text);
    }
    writer.element("RequestId", request_id);
    writer.element("HostId", &host_id(request_id));
    writer.close("Error");
    writer.finish()
}

fn write_ids(response: &mut Response, style: &Style, request_id: &str) {
    if style.s3_family {
        response.set("x-amz-request-id", request_id);
        response.set("x-amz-id-2", &host_id(request_id));
    } else {
        response.set(&REQUEST_ID, request_id);
    }
}

/// S3's second id names the host; here it says nothing that the request's id does not.
fn host_id(request_id: &str) -> String {
    STANDARD.encode(format!("apus/{request_id}"))
}

fn finish(response: &mut Response, writer: Writer) {
    response.set_content_type(CONTENT_TYPE);
    response.body = Payload::Bytes(writer.finish().into());
}
