//! Enumerated texts as Rust types.

use std::fmt::Write;

use super::model::{Kind, Model};

/// The file's text.
pub(crate) fn text(model: &Model) -> String {
    let mut enums = String::new();
    for shape in model.shapes.values() {
        let (Kind::Enumeration(variants), Some(name)) = (&shape.kind, &shape.type_name) else { continue };
        let _ = write!(enums, "\nstring_enum! {{ {name} {{\n");
        for variant in variants {
            let _ = writeln!(enums, "    {} = {:?},", variant.name, variant.value);
        }
        enums += "} }\n";
    }
    if enums.is_empty() { enums } else { format!("use apus_schema::string_enum;\n{enums}") }
}
