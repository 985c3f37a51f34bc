//! Reads what a REST request says outside its body: labels, query string, headers. The body is the caller's business.

use apus_schema::{Fields, Kind, Location, Member, OperationSchema, TimestampFormat, Value};

use super::header;
use crate::budget::{Read, unreadable};
use crate::form::Form;
use crate::message::RequestHead;
use crate::text;

/// Reads labels, query string and headers into the members that are bound to them.
pub(crate) fn read_bound(
    operation: &OperationSchema,
    head: &RequestHead<'_>,
    labels: &[(&'static str, String)],
    fields: &mut Fields,
) -> Read<()> {
    let query = Form::read(head.query.unwrap_or_default())?;
    for (at, member) in operation.input.members().iter().enumerate() {
        let found = match member.location {
            Location::Body | Location::StatusCode => None,
            Location::Uri => labels
                .iter()
                .find(|(name, _)| *name == member.wire_name)
                .map(|(_, found)| text::read(member.shape, Some(member), found, TimestampFormat::Iso8601))
                .transpose()?,
            Location::Query => read_query(member, &query)?,
            Location::Header => read_header(member, head)?,
            Location::HeaderPrefix => read_prefix(member, head)?,
        };
        if let Some(value) = found {
            fields.set(at, value);
        }
    }
    Ok(())
}

fn read_query(member: &'static Member, query: &Form) -> Read<Option<Value>> {
    let scalar = |schema, text: &str| text::read(schema, None, text, TimestampFormat::Iso8601);
    match member.shape.kind {
        Kind::List { member: item, .. } => {
            let items: Vec<_> =
                query.all(member.wire_name).map(|found| scalar(item, found)).collect::<Read<_>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        // A map takes every parameter, those of other members too (Smithy, httpQueryParams).
        Kind::Map { value, .. } => {
            let mut entries: Vec<(String, Value)> = Vec::new();
            for (key, found) in query.iter() {
                let known = entries.iter_mut().find(|(own, _)| own == key);
                match (value.kind, known) {
                    (Kind::List { member: item, .. }, Some((_, Value::List(items)))) => {
                        items.push(scalar(item, found)?);
                    }
                    (Kind::List { member: item, .. }, _) => {
                        entries.push((key.to_owned(), Value::List(vec![scalar(item, found)?])));
                    }
                    (_, Some(_)) => {}
                    (_, None) => entries.push((key.to_owned(), scalar(value, found)?)),
                }
            }
            Ok((!entries.is_empty()).then_some(Value::Map(entries)))
        }
        _ => match query.get(member.wire_name) {
            // `?max-keys=` asks for nothing.
            Some("") if !matches!(member.shape.kind, Kind::String) => Ok(None),
            Some(found) => text::read(member.shape, Some(member), found, TimestampFormat::Iso8601).map(Some),
            None => Ok(None),
        },
    }
}

fn read_header(member: &'static Member, head: &RequestHead<'_>) -> Read<Option<Value>> {
    let mut texts = Vec::new();
    for value in head.headers.get_all(member.wire_name) {
        texts.push(header_text(value)?);
    }
    match (texts.len(), member.shape.kind) {
        (0, _) => Ok(None),
        // A list may be spread over several lines; of anything else the first line counts.
        (_, Kind::List { .. }) => {
            let joined = texts.join(",");
            if joined.trim().is_empty() { Ok(None) } else { header::read(member, &joined).map(Some) }
        }
        (_, Kind::String) => header::read(member, texts[0]).map(Some),
        _ if texts[0].is_empty() => Ok(None),
        _ => header::read(member, texts[0]).map(Some),
    }
}

fn read_prefix(member: &'static Member, head: &RequestHead<'_>) -> Read<Option<Value>> {
    let prefix = member.wire_name.to_ascii_lowercase();
    let Kind::Map { value, .. } = member.shape.kind else { return Ok(None) };
    let mut entries: Vec<(String, Value)> = Vec::new();
    for (name, found) in head.headers {
        let Some(key) = name.as_str().strip_prefix(&prefix) else { continue };
        let text = header_text(found)?;
        // S3 joins metadata that comes in several lines.
        match entries.iter_mut().find(|(own, _)| own == key) {
            Some((_, Value::String(known))) => {
                known.push(',');
                known.push_str(text);
            }
            Some(_) => {}
            None => {
                let read = text::read(value, None, text, TimestampFormat::HttpDate)?;
                entries.push((key.to_owned(), read));
            }
        }
    }
    Ok((!entries.is_empty()).then_some(Value::Map(entries)))
}

/// A header's text: UTF-8, as clients send metadata that is no ASCII.
fn header_text(value: &http::HeaderValue) -> Read<&str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(text),
        Err(_) => unreadable("A header is not valid UTF-8."),
    }
}
