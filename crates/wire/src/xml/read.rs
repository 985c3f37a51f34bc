//! Reads values under a schema from a XML tree. Elements that the schema does not have are skipped.

use apus_schema::{Fields, Kind, Location, Member, Schema, TimestampFormat, Value};

use super::tree::Element;
use super::{Naming, is_flattened};
use crate::budget::{Budget, Read, unreadable};
use crate::entries::last_wins;
use crate::text;

/// Reads an element's children as the members of a structure: those that stand in the body.
pub(crate) fn read_structure(
    schema: &'static Schema,
    element: &Element,
    budget: &mut Budget,
) -> Read<Fields> {
    budget.spend(schema.members().len())?;
    let mut fields = Fields::new(schema);
    for (at, member) in schema.members().iter().enumerate() {
        if member.location != Location::Body {
            continue;
        }
        if let Some(value) = read_member(member, element, budget)? {
            fields.set(at, value);
        }
    }
    Ok(fields)
}

fn read_member(member: &'static Member, parent: &Element, budget: &mut Budget) -> Read<Option<Value>> {
    let name = Naming::Xml.member(member);
    if member.xml_attribute {
        let Some(found) = parent.attribute(name) else { return Ok(None) };
        return text::read(member.shape, Some(member), found, TimestampFormat::Iso8601).map(Some);
    }
    if is_flattened(Some(member), member.shape) && parent.child(name).is_some() {
        let parts = parent.children(name);
        return match member.shape.kind {
            Kind::List { member: item, .. } => read_list(item, parts, budget).map(Some),
            Kind::Map { .. } => read_map(member.shape, parts, budget).map(Some),
            _ => unreadable(format!("{name} is flattened, but neither a list nor a map.")),
        };
    }
    match parent.child(name) {
        Some(child) => read_value(member.shape, Some(member), child, budget).map(Some),
        None => Ok(None),
    }
}

/// Reads an element as one value of that shape.
pub(crate) fn read_value(
    schema: &'static Schema,
    member: Option<&Member>,
    element: &Element,
    budget: &mut Budget,
) -> Read<Value> {
    budget.spend(1)?;
    match schema.kind {
        Kind::Structure { .. } => read_structure(schema, element, budget).map(Value::Structure),
        Kind::List { member: item, .. } => {
            read_list(item, element.children(Naming::Xml.element(schema)), budget)
        }
        Kind::Map { .. } => read_map(schema, element.children("entry"), budget),
        _ if !element.children.is_empty() => {
            unreadable(format!("The element {} holds elements where text was expected.", element.name))
        }
        // Text is what it is; around numbers and the like, white space says nothing.
        _ => text::read(schema, member, &element.text, TimestampFormat::Iso8601),
    }
}

fn read_list<'a>(
    item: &'static Schema,
    parts: impl Iterator<Item = &'a Element>,
    budget: &mut Budget,
) -> Read<Value> {
    let items: Read<Vec<_>> = parts.map(|part| read_value(item, None, part, budget)).collect();
    items.map(Value::List)
}

fn read_map<'a>(
    schema: &'static Schema,
    parts: impl Iterator<Item = &'a Element>,
    budget: &mut Budget,
) -> Read<Value> {
    let Kind::Map { value, .. } = schema.kind else { return unreadable("A map was expected.") };
    let (key_name, value_name) = Naming::Xml.entry(schema);
    let mut entries = Vec::new();
    for part in parts {
        let (Some(key), Some(found)) = (part.child(key_name), part.child(value_name)) else {
            return unreadable(format!("A map's entry lacks its {key_name} or its {value_name}."));
        };
        entries.push((key.text.clone(), read_value(value, None, found, budget)?));
    }
    Ok(Value::Map(last_wins(entries)))
}
