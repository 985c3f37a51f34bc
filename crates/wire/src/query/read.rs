//! Reads a form under a schema: `List.member.1`, flattened `List.1`, `Map.entry.1.key`, nested structures by dots.

use apus_schema::{Fields, Kind, Member, Schema, TimestampFormat, Value};

use crate::budget::{Budget, Read, unreadable};
use crate::entries::last_wins;
use crate::form::{Form, Node};
use crate::text;
use crate::xml::{Naming, flattened_element, is_flattened};

/// Reads the members of an operation's input.
pub(crate) fn read_input(schema: &'static Schema, form: &Form) -> Read<Fields> {
    let mut budget = Budget::new();
    let root = form.tree(&mut budget)?;
    read_structure(schema, &root, &mut budget)
}

fn read_structure(schema: &'static Schema, node: &Node<'_>, budget: &mut Budget) -> Read<Fields> {
    budget.enter()?;
    budget.spend(schema.members().len())?;
    let mut fields = Fields::new(schema);
    for (at, member) in schema.members().iter().enumerate() {
        // An empty value without children stands for an empty list, and for an absent anything else but text.
        let Some(found) = names(member).find_map(|name| node.child(name)) else { continue };
        if let Some(value) = read_value(member.shape, Some(member), found, budget)? {
            fields.set(at, value);
        }
    }
    budget.leave();
    Ok(fields)
}

/// The names under which a member may come: the query protocol's own, a flattened list's element, the model's.
fn names(member: &'static Member) -> impl Iterator<Item = &'static str> {
    let own = member.query_name.unwrap_or(member.wire_name);
    [Some(own), flattened_element(member), Some(member.wire_name), Some(member.name)].into_iter().flatten()
}

fn read_value(
    schema: &'static Schema,
    member: Option<&Member>,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Option<Value>> {
    budget.spend(1)?;
    Ok(Some(match schema.kind {
        Kind::Structure { .. } => Value::Structure(read_structure(schema, node, budget)?),
        Kind::List { member: item, .. } => read_list(schema, item, member, node, budget)?,
        Kind::Map { .. } => read_map(schema, member, node, budget)?,
        Kind::String => match node.value {
            Some(text) => Value::String(text.to_owned()),
            None => return Ok(None),
        },
        _ => match node.value {
            Some(found) if !found.is_empty() || matches!(schema.kind, Kind::Blob) => {
                text::read(schema, member, found, TimestampFormat::Iso8601)?
            }
            _ => return Ok(None),
        },
    }))
}

fn read_list(
    schema: &'static Schema,
    item: &'static Schema,
    member: Option<&Member>,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Value> {
    let container = if is_flattened(member, schema) {
        Some(node)
    } else {
        let own = node.child(Naming::Query.element(schema));
        // AWS reads lists written either way; older tools write `List.1` where the model has `List.member.1`.
        Some(own.or_else(|| node.child("member")).unwrap_or(node))
    };
    let mut items = Vec::new();
    for part in container.map(Node::numbered).unwrap_or_default() {
        items.push(read_value(item, None, part, budget)?.unwrap_or(Value::Null));
    }
    Ok(Value::List(items))
}

fn read_map(
    schema: &'static Schema,
    member: Option<&Member>,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Value> {
    let Kind::Map { value: shape, .. } = schema.kind else { return unreadable("A map was expected.") };
    let container = if is_flattened(member, schema) { node } else { node.child("entry").unwrap_or(node) };
    let (key_name, value_name) = Naming::Query.entry(schema);
    let mut entries = Vec::new();
    for part in container.numbered() {
        let Some(key) = part.child(key_name).and_then(|key| key.value) else {
            return unreadable(format!("A map's entry lacks its {key_name}."));
        };
        let value = match part.child(value_name) {
            Some(found) => read_value(shape, None, found, budget)?.unwrap_or(Value::Null),
            None => return unreadable(format!("A map's entry lacks its {value_name}.")),
        };
        entries.push((key.to_owned(), value));
    }
    Ok(Value::Map(last_wins(entries)))
}
