//! Writes values under a schema as CBOR, and the answers of rpc-v2-cbor.

use std::convert::Infallible;

use apus_schema::{Fields, Kind, OperationSchema, Protocol, Schema, ServiceSchema, Value};
use apus_time::Timestamp;
use minicbor::Encoder;
use minicbor::data::Tag;
use minicbor::encode::Error;

use crate::faults::{Facts, message_member};
use crate::message::{Payload, REQUEST_ID, Response};

/// The tag of an instant in seconds since the epoch.
const EPOCH_TAG: u64 = 1;

type Written = Result<(), Error<Infallible>>;

/// Writes a success.
pub(crate) fn write_output(operation: &OperationSchema, output: &Fields, request_id: &str) -> Response {
    let mut response = response(operation.status, request_id);
    response.body = body(|encoder| write_structure(encoder, operation.output, output, &[]));
    response
}

/// Writes an error: its name in `__type`, its message, its members.
pub(crate) fn write_error(facts: &Facts<'_>, service: Option<&ServiceSchema>, request_id: &str) -> Response {
    let mut response = response(facts.status, request_id);
    if let Some(query_error) = facts.query_error(service) {
        response.set("x-amzn-query-error", &query_error);
    }
    let name = facts.type_name(service, Protocol::RpcV2Cbor);
    let key = facts.schema.and_then(|schema| message_member(schema).map(|at| schema.members()[at].name));
    let message = (key.unwrap_or("message"), facts.message);
    let first = [("__type", name.as_str()), message];
    let first = if facts.message.is_empty() { &first[..1] } else { &first[..] };
    response.body = body(|encoder| match facts.schema {
        Some(schema) => write_structure(encoder, schema, &facts.fields, first),
        None => write_texts(encoder.map(first.len() as u64)?, first),
    });
    response
}

fn response(status: u16, request_id: &str) -> Response {
    let mut response = Response::new(status);
    response.set_content_type("application/cbor");
    response.set("smithy-protocol", "rpc-v2-cbor");
    response.set(&REQUEST_ID, request_id);
    response
}

fn body(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written) -> Payload {
    let mut bytes = Vec::new();
    let written = write(&mut Encoder::new(&mut bytes));
    assert!(written.is_ok(), "writing to memory cannot fail");
    Payload::Bytes(bytes.into())
}

fn write_texts(encoder: &mut Encoder<&mut Vec<u8>>, texts: &[(&str, &str)]) -> Written {
    for (name, text) in texts {
        encoder.str(name)?.str(text)?;
    }
    Ok(())
}

fn write_structure(
    encoder: &mut Encoder<&mut Vec<u8>>,
    schema: &Schema,
    fields: &Fields,
    first: &[(&str, &str)],
) -> Written {
    let set = || fields.iter().filter(|(_, value)| **value != Value::Null);
    write_texts(encoder.map((first.len() + set().count()) as u64)?, first)?;
    for (at, value) in set() {
        let member = &schema.members()[at];
        encoder.str(member.name)?;
        write_value(encoder, member.shape, value)?;
    }
    Ok(())
}

fn write_value(encoder: &mut Encoder<&mut Vec<u8>>, schema: &Schema, value: &Value) -> Written {
    match (schema.kind, value) {
        (_, Value::Null | Value::Stream(_)) => encoder.null()?.ok(),
        (_, Value::Boolean(flag)) => encoder.bool(*flag)?.ok(),
        (_, Value::Integer(number)) => encoder.i64(*number)?.ok(),
        (Kind::Float, Value::Double(number)) => encoder.f32(*number as f32)?.ok(),
        (_, Value::Double(number)) => encoder.f64(*number)?.ok(),
        (_, Value::String(text)) => encoder.str(text)?.ok(),
        (_, Value::Blob(bytes)) => encoder.bytes(bytes)?.ok(),
        (_, Value::Timestamp(at)) => write_timestamp(encoder, *at),
        (Kind::List { member, .. }, Value::List(items)) => {
            encoder.array(items.len() as u64)?;
            items.iter().try_for_each(|item| write_value(encoder, member, item))
        }
        (Kind::Map { value: shape, .. }, Value::Map(entries)) => {
            encoder.map(entries.len() as u64)?;
            entries.iter().try_for_each(|(key, item)| write_value(encoder.str(key)?, shape, item))
        }
        (_, Value::Structure(fields)) => write_structure(encoder, schema, fields, &[]),
        // Handlers build values from typed shapes, so that a list stands only where the schema has one.
        (_, Value::List(_) | Value::Map(_)) => encoder.null()?.ok(),
    }
}

fn write_timestamp(encoder: &mut Encoder<&mut Vec<u8>>, at: Timestamp) -> Written {
    encoder.tag(Tag::new(EPOCH_TAG))?;
    if at.subsec_micros() == 0 {
        encoder.i64(at.as_secs())?.ok()
    } else {
        encoder.f64(at.as_micros() as f64 / 1e6)?.ok()
    }
}
