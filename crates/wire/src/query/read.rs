//! Reads a form under a schema: `List.member.1`, flattened `List.1`, `Map.entry.1.key`, nested structures by dots.
//!
//! What names a member and has another shape than that is refused, never left out: a list's part with a name instead of
//! a number, a text for a list, parts of a text. AWS answers so, in the words that begin the messages. Parameters that name no
//! member are nobody's: those of signatures, and what other versions know.

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
        let mut found = names(member).filter_map(|name| Some((name, node.child(name)?)));
        // An empty value without children stands for an empty list, and for an absent anything else but text.
        let Some((name, part)) = found.next() else { continue };
        if let Some((other, _)) = found.find(|(_, other)| !std::ptr::eq(*other, part)) {
            return unreadable(format!("The parameters {name} and {other} are the same."));
        }
        if let Some(value) = read_value(member.shape, Some(member), name, part, budget)? {
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

/// `name` is that of the parameter, for who has to mend it.
fn read_value(
    schema: &'static Schema,
    member: Option<&Member>,
    name: &str,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Option<Value>> {
    budget.spend(1)?;
    let text = node.value.filter(|text| !text.is_empty());
    let value = match schema.kind {
        Kind::Structure { .. } if text.is_some() => {
            return unreadable(format!("Unexpected complex element termination: {name} has members."));
        }
        Kind::Structure { .. } => Value::Structure(read_structure(schema, node, budget)?),
        Kind::List { member: item, .. } => read_list(schema, item, member, name, node, budget)?,
        Kind::Map { .. } => read_map(schema, member, name, node, budget)?,
        _ if !node.children.is_empty() => {
            return unreadable(format!("Start of list found where not expected: {name} has no parts."));
        }
        Kind::String => match node.value {
            Some(text) => Value::String(text.to_owned()),
            None => return Ok(None),
        },
        _ => match node.value {
            Some(found) if text.is_some() || matches!(schema.kind, Kind::Blob) => {
                text::read(schema, member, found, TimestampFormat::Iso8601)?
            }
            _ => return Ok(None),
        },
    };
    Ok(Some(value))
}

fn read_list(
    schema: &'static Schema,
    item: &'static Schema,
    member: Option<&Member>,
    name: &str,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Value> {
    let flattened = is_flattened(member, schema);
    // AWS reads lists written either way; older tools write `List.1` where the model has `List.member.1`.
    let elements = [Naming::Query.element(schema), "member"];
    let container = if flattened { node } else { container(name, node, &elements)? };
    let mut items = Vec::new();
    for part in parts(name, container, flattened)? {
        if std::ptr::eq(part, container) {
            known(item, name, part)?;
        }
        items.push(read_value(item, None, name, part, budget)?.unwrap_or(Value::Null));
    }
    Ok(Value::List(items))
}

/// A part without a number is one only if it has no other shape: a structure's, all of whose names are known.
fn known(item: &'static Schema, name: &str, part: &Node<'_>) -> Read<()> {
    let Kind::Structure { members, .. } = item.kind else { return Ok(()) };
    let is_known = |child: &str| {
        let mut names = members.iter().flat_map(names);
        names.any(|name| name == child || name.split('.').next() == Some(child))
    };
    match part.children.keys().find(|child| !is_known(child)) {
        Some(other) => unnumbered(name, other),
        None => Ok(()),
    }
}

fn unnumbered<T>(name: &str, other: &str) -> Read<T> {
    unreadable(format!(
        "Start of list found where not expected: the parts of {name} have numbers, and {other:?} is none."
    ))
}

fn read_map(
    schema: &'static Schema,
    member: Option<&Member>,
    name: &str,
    node: &Node<'_>,
    budget: &mut Budget,
) -> Read<Value> {
    let Kind::Map { value: shape, .. } = schema.kind else { return unreadable("A map was expected.") };
    let flattened = is_flattened(member, schema);
    let container = if flattened { node } else { container(name, node, &["entry"])? };
    let (key_name, value_name) = Naming::Query.entry(schema);
    let mut entries = Vec::new();
    for part in parts(name, container, flattened)? {
        let Some(key) = part.child(key_name).and_then(|key| key.value) else {
            return unreadable(format!("An entry of {name} lacks its {key_name}."));
        };
        let value = match part.child(value_name) {
            Some(found) => read_value(shape, None, value_name, found, budget)?.unwrap_or(Value::Null),
            None => return unreadable(format!("An entry of {name} lacks its {value_name}.")),
        };
        entries.push((key.to_owned(), value));
    }
    Ok(Value::Map(last_wins(entries)))
}

/// Where the parts of a list or map are that has a container: under one of these names, or without it.
fn container<'n, 'a>(name: &str, node: &'n Node<'a>, elements: &[&str]) -> Read<&'n Node<'a>> {
    let Some(found) = elements.iter().find_map(|element| node.child(element)) else { return Ok(node) };
    if node.children.len() > 1 || node.value.is_some_and(|text| !text.is_empty()) {
        return unreadable(format!("End of list found where not expected: {name} is written in two ways."));
    }
    Ok(found)
}

/// The parts of a list or a map, in the order of their numbers. One part alone needs no number where there is no
/// container: `Attribute.Name=…&Attribute.Value=…`.
fn parts<'n, 'a>(name: &str, node: &'n Node<'a>, flattened: bool) -> Read<Vec<&'n Node<'a>>> {
    let text = node.value.filter(|text| !text.is_empty());
    if node.children.is_empty() {
        return match text {
            None => Ok(Vec::new()),
            Some(_) if flattened => Ok(vec![node]),
            Some(_) => {
                unreadable(format!("End of list found where not expected: the parts of {name} have numbers."))
            }
        };
    }
    let numbered = node.numbered();
    if text.is_none() && numbered.is_empty() && flattened {
        return Ok(vec![node]);
    }
    if text.is_some() || numbered.len() < node.children.len() {
        let other = node.children.keys().find(|key| key.parse::<u32>().is_err()).copied().unwrap_or_default();
        return unnumbered(name, other);
    }
    match numbered.first() {
        Some((0, _)) => {
            unreadable(format!("0 is not a valid index: the parts of {name} are counted from 1."))
        }
        _ => Ok(numbered.into_iter().map(|(_, part)| part).collect()),
    }
}
