//! Header values: scalars, and lists of them with their commas and quotes.

use apus_schema::{Kind, Member, Schema, TimestampFormat, Value};
use apus_time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::budget::{Read, unreadable};
use crate::json::{read_document, write_document};
use crate::text;

/// Reads a header's text as a value of the member's shape.
pub(crate) fn read(member: &'static Member, found: &str) -> Read<Value> {
    if member.json_value {
        return read_json(member, found);
    }
    match member.shape.kind {
        Kind::List { member: item, .. } => {
            let parts = match item.kind {
                // A date of HTTP has a comma of its own.
                Kind::Timestamp(_) if is_http_date(item) => every_second_comma(found),
                Kind::Timestamp(_)
                | Kind::Boolean
                | Kind::Integer
                | Kind::Long
                | Kind::Float
                | Kind::Double => found.split(',').map(|part| part.trim().to_owned()).collect(),
                _ => quoted_parts(found)?,
            };
            let items: Read<Vec<_>> =
                parts.iter().map(|part| text::read(item, None, part, TimestampFormat::HttpDate)).collect();
            items.map(Value::List)
        }
        Kind::String => Ok(Value::String(found.to_owned())),
        _ => text::read(member.shape, Some(member), found, TimestampFormat::HttpDate),
    }
}

/// Writes a value as a header's text; nothing for what no header can hold.
pub(crate) fn write(member: &Member, value: &Value) -> Option<String> {
    if member.json_value {
        return Some(STANDARD.encode(json_text(value)));
    }
    match (member.shape.kind, value) {
        (Kind::List { member: item, .. }, Value::List(items)) => {
            let parts: Option<Vec<_>> = items
                .iter()
                .map(|found| {
                    let part = scalar(item, None, found)?;
                    let quoted = matches!(item.kind, Kind::String) && needs_quotes(&part);
                    Some(if quoted { quote(&part) } else { part })
                })
                .collect();
            parts.map(|parts| parts.join(", "))
        }
        _ => scalar(member.shape, Some(member), value),
    }
}

/// A scalar as a header's text. HTTP knows no fractions of seconds.
fn scalar(schema: &Schema, member: Option<&Member>, value: &Value) -> Option<String> {
    match value {
        Value::Timestamp(at)
            if text::timestamp_format(schema, member, TimestampFormat::HttpDate)
                == TimestampFormat::HttpDate =>
        {
            Some(Timestamp::from_secs(at.as_secs()).to_http_date())
        }
        _ => text::write(schema, member, value, TimestampFormat::HttpDate),
    }
}

fn read_json(member: &Member, found: &str) -> Read<Value> {
    let bytes = text::base64_bytes(found)?;
    if matches!(member.shape.kind, Kind::Document) {
        return read_document(&bytes);
    }
    match String::from_utf8(bytes) {
        Ok(json) => Ok(Value::String(json)),
        Err(_) => unreadable("A header's JSON is not valid UTF-8."),
    }
}

fn json_text(value: &Value) -> String {
    match value {
        Value::String(json) => json.clone(),
        document => {
            let mut json = String::new();
            write_document(&mut json, document);
            json
        }
    }
}

fn is_http_date(schema: &Schema) -> bool {
    text::timestamp_format(schema, None, TimestampFormat::HttpDate) == TimestampFormat::HttpDate
}

fn every_second_comma(found: &str) -> Vec<String> {
    let pieces: Vec<_> = found.split(',').collect();
    pieces.chunks(2).map(|pair| pair.join(",").trim().to_owned()).collect()
}

/// Splits at commas outside double quotes; in quotes, a backslash takes the next character as it is.
fn quoted_parts(found: &str) -> Read<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = found.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (part, after) = unquote(quoted)?;
            parts.push(part);
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(next) => rest = next.trim_start(),
                None if rest.is_empty() => return Ok(parts),
                None => return unreadable("A header's list has text after a quoted part."),
            }
        } else {
            let (part, after) =
                rest.split_once(',').map_or((rest, None), |(part, after)| (part, Some(after)));
            parts.push(part.trim().to_owned());
            match after {
                Some(after) => rest = after.trim_start(),
                None => return Ok(parts),
            }
        }
    }
}

fn unquote(quoted: &str) -> Read<(String, &str)> {
    let mut part = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((part, &quoted[at + 1..])),
            '\\' => part.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => part.push(character),
        }
    }
    unreadable("A header's list has a quote that does not end.")
}

fn needs_quotes(part: &str) -> bool {
    part.contains([',', '"', '(', ')']) || part.trim() != part
}

fn quote(part: &str) -> String {
    format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\""))
}
