//! Structures as Rust types.

use std::fmt::Write;

use super::model::{Kind, Member, Model};

/// The file's text.
pub(crate) fn text(model: &Model) -> String {
    let mut structures = String::new();
    for shape in model.shapes.values() {
        let (Kind::Structure { members, .. }, Some(name)) = (&shape.kind, &shape.type_name) else { continue };
        let _ = write!(structures, "\nstructure! {{ schemas::{},\n    pub struct {name} {{\n", shape.table);
        for member in members {
            if is_event_stream(model, member) {
                structures += "        /// Framed events; `Body` until events have types.\n";
            }
            let _ = writeln!(structures, "        pub {}: {},", member.field, member_type(model, member));
        }
        structures += "    }\n}\n";
    }
    let mut text = String::new();
    let uses = |word: &str| structures.contains(word);
    if uses("BTreeMap<") {
        text += "use std::collections::BTreeMap;\n\n";
    }
    let mut schema = vec!["Body", "Boxed", "Value"];
    schema.retain(|word| imports(&structures, word));
    schema.push("structure");
    let _ = writeln!(text, "use apus_schema::{{{}}};", schema.join(", "));
    if imports(&structures, "Timestamp") {
        text += "use apus_time::Timestamp;\n";
    }
    if imports(&structures, "Bytes") {
        text += "use bytes::Bytes;\n";
    }
    text += "\n";
    if model
        .shapes
        .values()
        .any(|shape| matches!(shape.kind, Kind::Enumeration(_)) && shape.type_name.is_some())
    {
        text += "#[allow(clippy::wildcard_imports)]\nuse crate::enums::*;\n";
    }
    text + "use crate::schemas;\n" + &structures
}

/// The crates that the types name, beside `apus-schema`.
pub(crate) fn dependencies(model: &Model) -> Vec<&'static str> {
    let text = text(model);
    let uses = [("use apus_time::", "apus-time"), ("use bytes::", "bytes")];
    uses.into_iter().filter(|(import, _)| text.contains(import)).map(|(_, package)| package).collect()
}

/// Whether a type of that name stands in the text, on its own or in brackets.
fn imports(structures: &str, word: &str) -> bool {
    [": ", "<", ", "].iter().any(|before| {
        [",", ">", "<"].iter().any(|after| structures.contains(&format!("{before}{word}{after}")))
    })
}

fn is_event_stream(model: &Model, member: &Member) -> bool {
    matches!(model.shapes.get(&member.shape), Some(shape) if matches!(shape.kind, Kind::Structure { eventstream: true, .. }))
}

fn member_type(model: &Model, member: &Member) -> String {
    let mut name =
        if is_event_stream(model, member) { "Body".to_owned() } else { type_of(model, &member.shape) };
    if member.boxed {
        name = format!("Boxed<{name}>");
    }
    if member.required { name } else { format!("Option<{name}>") }
}

/// The Rust type of a shape.
fn type_of(model: &Model, key: &str) -> String {
    let Some(shape) = model.shapes.get(key) else { unreachable!("{key} was resolved") };
    match &shape.kind {
        Kind::Scalar(kind) => match *kind {
            "Boolean" => "bool",
            "Integer" => "i32",
            "Long" => "i64",
            "Float" => "f32",
            "Double" => "f64",
            "String" => "String",
            "Blob" => "Bytes",
            "Stream" => "Body",
            "Document" => "Value",
            other => unreachable!("{other} is no scalar"),
        }
        .to_owned(),
        Kind::Timestamp(_) => "Timestamp".to_owned(),
        Kind::List { member, .. } => format!("Vec<{}>", type_of(model, member)),
        Kind::Map { value, .. } => format!("BTreeMap<String, {}>", type_of(model, value)),
        Kind::Enumeration(_) | Kind::Structure { .. } => shape
            .type_name
            .clone()
            .unwrap_or_else(|| unreachable!("{key} is of no type: only errors name it")),
    }
}
