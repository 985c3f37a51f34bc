//! Writes values under a schema as JSON.

use std::fmt::Write;

use apus_schema::{Fields, Kind, Member, Schema, TimestampFormat, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plain::plain;
use crate::rest::is_in_output_body;
use crate::text;

/// A structure as a JSON object: only the members that stand in the body, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Every member (awsJson, and all nested structures).
    Whole,
    /// Members that no header, status or payload takes (restJson).
    Unbound,
}

/// Writes a structure's members between braces; `first` is written before them, without a comma of its own.
pub(crate) fn write_structure(
    out: &mut String,
    schema: &Schema,
    fields: &Fields,
    which: Body,
    first: Option<(&str, &str)>,
) {
    out.push('{');
    let mut separator = "";
    if let Some((name, text)) = first {
        write_string(out, name);
        out.push(':');
        write_string(out, text);
        separator = ",";
    }
    for (at, value) in fields.iter() {
        let member = &schema.members()[at];
        if matches!(value, Value::Stream(_))
            || *value == Value::Null && !matches!(member.shape.kind, Kind::Document)
            || which == Body::Unbound && !is_in_output_body(member.location)
        {
            continue;
        }
        out.push_str(separator);
        separator = ",";
        write_string(out, member.wire_name);
        out.push(':');
        write_value(out, member.shape, Some(member), value);
    }
    out.push('}');
}

/// Writes one value.
pub(crate) fn write_value(out: &mut String, schema: &Schema, member: Option<&Member>, value: &Value) {
    match (schema.kind, value) {
        (Kind::Document, document) => write_document(out, document),
        (_, Value::Null | Value::Stream(_)) => out.push_str("null"),
        (_, Value::Boolean(flag)) => out.push_str(if *flag { "true" } else { "false" }),
        (_, Value::Integer(number)) => {
            let _ = write!(out, "{number}");
        }
        (kind, Value::Double(number)) => write_double(out, *number, matches!(kind, Kind::Float)),
        (_, Value::String(string)) => write_string(out, string),
        (_, Value::Blob(bytes)) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        (_, Value::Timestamp(at)) => {
            match text::timestamp_format(schema, member, TimestampFormat::EpochSeconds) {
                TimestampFormat::EpochSeconds => out.push_str(&at.to_epoch_seconds()),
                format => write_string(out, &text::write_timestamp(*at, format)),
            }
        }
        (Kind::List { member, .. }, Value::List(items)) => {
            write_list(out, items, |out, item| write_value(out, member, None, item));
        }
        (Kind::Map { value, .. }, Value::Map(entries)) => {
            write_map(out, entries, |out, item| write_value(out, value, None, item));
        }
        (_, Value::Structure(fields)) => write_structure(out, schema, fields, Body::Whole, None),
        // Handlers build values from typed shapes, so that a list stands only where the schema has one.
        (_, mismatched) => write_document(out, mismatched),
    }
}

/// Writes a document: the value says what it is.
pub(crate) fn write_document(out: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Stream(_) | Value::Structure(_) => out.push_str("null"),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Integer(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Double(number) => write_double(out, *number, false),
        Value::String(string) => write_string(out, string),
        Value::Blob(bytes) => write_string(out, &STANDARD.encode(bytes)),
        Value::Timestamp(at) => out.push_str(&at.to_epoch_seconds()),
        Value::List(items) => write_list(out, items, write_document),
        Value::Map(entries) => write_map(out, entries, write_document),
    }
}

fn write_list(out: &mut String, items: &[Value], mut write: impl FnMut(&mut String, &Value)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn write_map(out: &mut String, entries: &[(String, Value)], mut write: impl FnMut(&mut String, &Value)) {
    out.push('{');
    for (at, (key, item)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write(out, item);
    }
    out.push('}');
}

/// Numbers that JSON cannot say are the words that the protocols use for them.
fn write_double(out: &mut String, number: f64, single: bool) {
    let text = text::write_double(number, single);
    if number.is_finite() {
        out.push_str(&text);
    } else {
        write_string(out, &text);
    }
}

/// Writes a string with its quotes. Runs without escapes are copied whole.
pub(crate) fn write_string(out: &mut String, string: &str) {
    out.reserve(string.len() + 2);
    out.push('"');
    let mut rest = string;
    loop {
        let (run, tail) = rest.split_at(plain(rest.as_bytes()));
        out.push_str(run);
        let Some(&special) = tail.as_bytes().first() else { break };
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &tail[1..];
    }
    out.push('"');
}
