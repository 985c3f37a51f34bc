//! Shapes as tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::model::{Kind, Member, Model, Shape};

/// The file's text.
pub(crate) fn text(model: &Model) -> String {
    let patterns = patterns(model);
    let mut tables = String::new();
    for shape in model.shapes.values() {
        let _ =
            writeln!(tables, "\npub static {}: Schema = {};", shape.table, table(model, shape, &patterns));
    }
    for (source, name) in &patterns {
        let _ = writeln!(tables, "\nstatic {name}: Pattern = Pattern::new({source:?});");
    }
    let imports: Vec<&str> = ["Kind", "Location", "Member", "Pattern", "Schema", "TimestampFormat"]
        .into_iter()
        .filter(|word| tables.contains(&format!("{word}::")))
        .collect();
    let enums = if tables.contains("enums::") { "\nuse crate::enums;\n" } else { "" };
    format!("use apus_schema::{{{}}};\n{enums}{tables}", imports.join(", "))
}

/// The names of patterns, each named after the first shape that has it.
fn patterns(model: &Model) -> BTreeMap<&str, String> {
    let mut patterns = BTreeMap::new();
    for shape in model.shapes.values() {
        if let Some(source) = &shape.pattern {
            patterns.entry(source.as_str()).or_insert_with(|| format!("PATTERN_{}", shape.table));
        }
    }
    patterns
}

fn table(model: &Model, shape: &Shape, patterns: &BTreeMap<&str, String>) -> String {
    let reference = |key: &str| {
        let Some(shape) = model.shapes.get(key) else { unreachable!("{key} was resolved") };
        format!("&{}", shape.table)
    };
    let name = &shape.name;
    let mut text = match &shape.kind {
        Kind::Scalar(kind) => format!("Schema::new({name:?}, Kind::{kind})"),
        Kind::Timestamp(None) => format!("Schema::new({name:?}, Kind::Timestamp(None))"),
        Kind::Timestamp(Some(format)) => {
            format!("Schema::new({name:?}, Kind::Timestamp(Some(TimestampFormat::{format})))")
        }
        Kind::Enumeration(_) => {
            let Some(type_name) = &shape.type_name else { unreachable!("{name} has a type") };
            format!("Schema::enumeration({name:?}, enums::{type_name}::VALUES)")
        }
        Kind::List { member, element, query_element, flattened } => format!(
            "Schema::new({name:?}, Kind::List {{
    member: {},
    element: {:?},
    query_element: {query_element:?},
    flattened: {flattened},
}})",
            reference(member),
            element.as_deref().unwrap_or("member"),
        ),
        Kind::Map { key, value, key_element, value_element, query_elements, flattened } => format!(
            "Schema::new({name:?}, Kind::Map {{
    key: {},
    value: {},
    key_element: {:?},
    value_element: {:?},
    query_elements: {query_elements:?},
    flattened: {flattened},
}})",
            reference(key),
            reference(value),
            key_element.as_deref().unwrap_or("key"),
            value_element.as_deref().unwrap_or("value"),
        ),
        Kind::Structure { members, union, eventstream, payload } => {
            let constructor = match (union, eventstream) {
                (_, true) => "events",
                (true, false) => "union",
                (false, false) => "structure",
            };
            let members: Vec<String> =
                members.iter().map(|own| member(own, &reference(&own.shape))).collect();
            let mut text = format!("Schema::{constructor}({name:?}, &[{}])", members.join(", "));
            if let Some(payload) = payload {
                let _ = write!(text, ".with_payload({payload})");
            }
            text
        }
    };
    for (constraint, bound) in [("min", shape.min), ("max", shape.max)] {
        if let Some(bound) = bound {
            let _ = write!(text, ".{constraint}({})", grouped(bound));
        }
    }
    if let Some(pattern) = &shape.pattern {
        let _ = write!(text, ".pattern(&{})", patterns[pattern.as_str()]);
    }
    if shape.sensitive {
        text += ".sensitive()";
    }
    text
}

fn member(member: &Member, shape: &str) -> String {
    let mut text = format!("Member::new({:?}, {shape})", member.name);
    if member.required {
        text += ".required()";
    }
    match (member.location, &member.wire_name) {
        (Some(location), name) => {
            let name = name.as_ref().unwrap_or(&member.name);
            let _ = write!(text, ".at(Location::{location}, {name:?})");
        }
        (None, Some(name)) => {
            let _ = write!(text, ".wire({name:?})");
        }
        (None, None) => {}
    }
    if let Some(name) = &member.query_name {
        let _ = write!(text, ".query({name:?})");
    }
    if let Some(format) = member.timestamp_format {
        let _ = write!(text, ".timestamp_format(TimestampFormat::{format})");
    }
    if let Some(namespace) = &member.xml_namespace {
        let _ = write!(text, ".xml_namespace({:?}, {:?})", namespace.prefix, namespace.uri);
    }
    for (set, method) in [
        (member.flattened, "flattened"),
        (member.xml_attribute, "xml_attribute"),
        (member.idempotency_token, "idempotency_token"),
        (member.json_value, "json_value"),
        (member.event_payload, "event_payload"),
        (member.event_header, "event_header"),
    ] {
        if set {
            let _ = write!(text, ".{method}()");
        }
    }
    text
}

/// A number with separators, as Rust writes long ones.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { String::from("-") } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len() > 5 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
