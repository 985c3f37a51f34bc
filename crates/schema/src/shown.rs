//! How a structure shows itself in logs and test failures: under the model's names, without what is sensitive.

use std::fmt;

use crate::{Fields, Kind, Schema, Structure, Value};

/// A value beside its schema.
pub struct Shown<'a>(pub &'static Schema, pub &'a Value);

impl Shown<'_> {
    /// Shows a typed structure.
    pub fn structure<T: Structure>(structure: T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        members(T::SCHEMA, &structure.into_fields(), f)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self(schema, value) = self;
        if schema.sensitive {
            return f.write_str("***");
        }
        match (schema.kind, value) {
            (Kind::Structure { .. }, Value::Structure(fields)) => members(schema, fields, f),
            (Kind::List { member, .. }, Value::List(items)) => {
                f.debug_list().entries(items.iter().map(|item| Shown(member, item))).finish()
            }
            (Kind::Map { key, value, .. }, Value::Map(entries)) => {
                let shown = entries.iter().map(|(name, item)| (Name(key, name), Shown(value, item)));
                f.debug_map().entries(shown).finish()
            }
            (_, Value::Null) => f.write_str("null"),
            (_, Value::Boolean(value)) => value.fmt(f),
            (_, Value::Integer(value)) => value.fmt(f),
            (_, Value::Double(value)) => value.fmt(f),
            (_, Value::String(value)) => value.fmt(f),
            (_, Value::Blob(value)) => value.fmt(f),
            (_, Value::Stream(value)) => value.fmt(f),
            (_, Value::Timestamp(value)) => value.fmt(f),
            // Of another kind than its schema: no member's sensitivity is known.
            (_, Value::List(_) | Value::Map(_) | Value::Structure(_)) => f.write_str(value.kind_name()),
        }
    }
}

/// A map's key.
struct Name<'a>(&'static Schema, &'a String);

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.sensitive { f.write_str("***") } else { self.1.fmt(f) }
    }
}

fn members(schema: &'static Schema, fields: &Fields, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(schema.name);
    for (at, value) in fields.iter() {
        let member = &schema.members()[at];
        shown.field(member.name, &Shown(member.shape, value));
    }
    shown.finish()
}
