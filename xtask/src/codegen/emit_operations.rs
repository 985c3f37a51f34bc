//! Operations as types and tables.

use std::fmt::Write;

use super::model::{Model, Operation};
use super::names;

/// The file's text.
pub(crate) fn text(model: &Model) -> String {
    let mut operations = String::new();
    for operation in &model.operations {
        operations += &one(model, operation);
    }
    let mut imports = vec!["OperationSchema"];
    imports.extend(["Auth", "Checksum", "Unit", "XmlNamespace"].into_iter().filter(|word| {
        [":: ", "(", " "].iter().any(|before| operations.contains(&format!("{before}{word}")))
    }));
    imports.push("operation");
    let all: Vec<String> =
        model.operations.iter().map(|operation| format!("&{},", names::screaming(&operation.name))).collect();
    let types: Vec<String> =
        model.operations.iter().map(|operation| format!("        $crate::{},", operation.name)).collect();
    format!(
        "use apus_schema::{{{}}};

#[allow(clippy::wildcard_imports)]
use crate::structures::*;
use crate::{{SERVICE, {}schemas}};

/// Every operation, sorted by name.
pub(crate) static ALL: &[&OperationSchema] = &[{}];

/// Calls a macro with the type of every operation, for tests that look at all.
#[macro_export]
macro_rules! each_operation {{
    ($call:ident) => {{ $call! {{
{}
    }} }};
}}
{operations}",
        imports.join(", "),
        if operations.contains("&errors::") { "errors, " } else { "" },
        all.join("\n"),
        types.join("\n"),
    )
    .replace(", schemas}", "}")
}

fn one(model: &Model, operation: &Operation) -> String {
    let type_of = |key: &Option<String>| {
        let shape = key.as_ref().and_then(|key| model.shapes.get(key));
        shape.and_then(|shape| shape.type_name.clone()).unwrap_or_else(|| "Unit".to_owned())
    };
    let mut text = format!(
        "\noperation! {{ {name}({input}) -> {output} = {table} OperationSchema {{\n",
        name = operation.name,
        input = type_of(&operation.input),
        output = type_of(&operation.output),
        table = names::screaming(&operation.name),
    );
    if operation.status != 200 {
        let _ = writeln!(text, "    status: {},", operation.status);
    }
    if let Some(root) = &operation.input_root {
        let _ = writeln!(text, "    input_root: Some({root:?}),");
    }
    if let Some(namespace) = &operation.input_namespace {
        let _ = writeln!(
            text,
            "    input_namespace: Some(XmlNamespace {{ prefix: {:?}, uri: {:?} }}),",
            namespace.prefix, namespace.uri
        );
    }
    if let Some(wrapper) = &operation.result_wrapper {
        let _ = writeln!(text, "    result_wrapper: Some({wrapper:?}),");
    }
    if !operation.errors.is_empty() {
        text += "    errors: &[\n";
        for error in &operation.errors {
            let _ = writeln!(text, "        &errors::{},", names::screaming(error));
        }
        text += "    ],\n";
    }
    if operation.auth != "SigV4" {
        let _ = writeln!(text, "    auth: Auth::{},", operation.auth);
    }
    if let Some(checksum) = &operation.checksum {
        let _ = writeln!(
            text,
            "    checksum: Some(Checksum {{
        algorithm_member: {:?},
        required: {},
        validation_member: {:?},
    }}),",
            checksum.algorithm_member, checksum.required, checksum.validation_member
        );
    }
    if operation.readonly {
        text += "    readonly: true,\n";
    }
    let _ = write!(
        text,
        "    ..OperationSchema::new(&SERVICE, {:?}, {:?}, {:?})\n}}; }}\n",
        operation.name, operation.method, operation.uri
    );
    text
}
