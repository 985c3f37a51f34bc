//! The files of a model crate, its manifest and its `lib.rs` with the service's table.

use super::model::Model;
use super::services::CURRENT;
use super::{Files, MARKER, emit_enums, emit_errors, emit_operations, emit_schemas, emit_structures};

/// Every file of the crate.
pub(crate) fn files(model: &Model) -> Files {
    let mut files = Files::new();
    files.insert("Cargo.toml".into(), manifest(model));
    files.insert("src/lib.rs".into(), lib(model));
    for (name, purpose, text) in [
        ("enums", "The texts of which the model lists the values.", emit_enums::text(model)),
        ("errors", "The errors that the model lists, each with its constructor.", emit_errors::text(model)),
        ("operations", "The operations, as types and as tables.", emit_operations::text(model)),
        ("schemas", "The shapes, as tables.", emit_schemas::text(model)),
        ("structures", "The structures, as types.", emit_structures::text(model)),
    ] {
        if text.is_empty() {
            continue;
        }
        let text = format!("// {}\n\n//! {purpose}\n\n{text}", marker(model));
        files.insert(format!("src/{name}.rs"), text);
    }
    files
}

fn marker(model: &Model) -> String {
    format!(
        "{MARKER}{} (botocore {}, {}); do not edit",
        model.service_id, CURRENT.version, model.service.folder
    )
}

fn manifest(model: &Model) -> String {
    let mut manifest = format!(
        r#"# {marker}
[package]
name = "{package}"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true
description = "The API model of {id}: shapes, operations and errors."

[lib]
doctest = false
test = false

[lints]
workspace = true

[dependencies]
apus-schema.workspace = true
"#,
        marker = marker(model),
        package = model.service.package(),
        id = model.service_id,
    );
    for dependency in emit_structures::dependencies(model) {
        manifest += dependency;
        manifest += ".workspace = true\n";
    }
    manifest
}

fn lib(model: &Model) -> String {
    let protocols: Vec<String> =
        model.protocols.iter().map(|protocol| format!("apus_schema::Protocol::{protocol}")).collect();
    format!(
        r"// {marker}

//! The API model of {id}: its operations as types, their structures, and the tables that codecs read.
//!
//! Knows no transport, no storage and no clock.

// Members and operations are AWS's, and its API reference describes them.
#![allow(missing_docs)]

{enums_mod}pub mod errors;
mod operations;
pub mod schemas;
mod structures;

use apus_schema::ServiceSchema;

{enums}pub use operations::*;
pub use structures::*;

/// The service.
pub static SERVICE: ServiceSchema = ServiceSchema {{
    name: {name:?},
    service_id: {id:?},
    signing_name: {signing_name:?},
    endpoint_prefix: {endpoint_prefix:?},
    api_version: {api_version:?},
    protocols: &[{protocols}],
    target_prefix: {target_prefix:?},
    xml_namespace: {xml_namespace:?},
    query_compatible: {query_compatible},
    global: {global},
    operations: operations::ALL,
}};
",
        enums_mod = if emit_enums::text(model).is_empty() { "" } else { "mod enums;\n" },
        enums = if emit_enums::text(model).is_empty() { "" } else { "pub use enums::*;\n" },
        marker = marker(model),
        id = model.service_id,
        name = model.service.name,
        signing_name = model.signing_name,
        endpoint_prefix = model.endpoint_prefix,
        api_version = model.api_version,
        protocols = protocols.join(", "),
        target_prefix = model.target_prefix,
        xml_namespace = model.xml_namespace,
        query_compatible = model.query_compatible,
        global = model.global,
    )
}
