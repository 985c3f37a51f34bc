//! Errors as tables and constructors.

use std::fmt::Write;

use super::model::Model;
use super::names;

/// The file's text.
pub(crate) fn text(model: &Model) -> String {
    let mut text = String::from("use apus_schema::{ErrorSchema, modelled_error};\n\nuse crate::schemas;\n");
    for error in &model.errors {
        let table = names::screaming(&error.name);
        let _ = write!(
            text,
            "\nmodelled_error! {{ {table}, {constructor}, ErrorSchema {{
    name: {name:?},
    code: {code:?},
    status: {status},
    query_status: {query_status},
    sender_fault: {sender_fault},
    schema: &schemas::{schema},
}} }}\n",
            constructor = names::snake(&error.name),
            name = error.name,
            code = error.code,
            status = error.status,
            query_status = error.query_status,
            sender_fault = error.sender_fault,
            schema = model.shapes.get(&error.name).map_or("", |shape| &shape.table),
        );
    }
    text
}
