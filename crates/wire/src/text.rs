//! Scalars as text: in XML elements, form fields, headers, labels and query strings.

use apus_schema::{Kind, Member, Schema, TimestampFormat, Value};
use apus_time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::budget::{MAX_NUMBER_CHARS, Read, unreadable};

/// The format of an instant: the member's, else its shape's, else the place's own.
pub(crate) fn timestamp_format(
    schema: &Schema,
    member: Option<&Member>,
    default: TimestampFormat,
) -> TimestampFormat {
    let of_shape = match schema.kind {
        Kind::Timestamp(format) => format,
        _ => None,
    };
    member.and_then(|member| member.timestamp_format).or(of_shape).unwrap_or(default)
}

/// Reads a scalar of that shape.
pub(crate) fn read(
    schema: &Schema,
    member: Option<&Member>,
    text: &str,
    default: TimestampFormat,
) -> Read<Value> {
    Ok(match schema.kind {
        Kind::String => Value::String(text.to_owned()),
        Kind::Boolean => match text.trim() {
            "true" | "True" | "TRUE" => Value::Boolean(true),
            "false" | "False" | "FALSE" => Value::Boolean(false),
            other => return unreadable(format!("'{}' is not a boolean.", excerpt(other))),
        },
        Kind::Integer => Value::Integer(integer(text)?),
        Kind::Long => Value::Integer(long(text)?),
        Kind::Float | Kind::Double => Value::Double(double(text)?),
        Kind::Blob => Value::Blob(base64_bytes(text)?.into()),
        Kind::Timestamp(_) => {
            Value::Timestamp(timestamp(text.trim(), timestamp_format(schema, member, default))?)
        }
        Kind::Document => Value::String(text.to_owned()),
        Kind::Stream | Kind::List { .. } | Kind::Map { .. } | Kind::Structure { .. } => {
            return unreadable("Start of structure or map expected, found text.");
        }
    })
}

/// Writes a scalar; nothing for what is no scalar of that shape.
pub(crate) fn write(
    schema: &Schema,
    member: Option<&Member>,
    value: &Value,
    default: TimestampFormat,
) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Double(number) => write_double(*number, matches!(schema.kind, Kind::Float)),
        Value::Blob(bytes) => STANDARD.encode(bytes),
        Value::Timestamp(at) => write_timestamp(*at, timestamp_format(schema, member, default)),
        Value::Null | Value::Stream(_) | Value::List(_) | Value::Map(_) | Value::Structure(_) => return None,
    })
}

fn integer(text: &str) -> Read<i64> {
    match text.trim().parse::<i32>() {
        Ok(number) => Ok(number.into()),
        Err(_) => unreadable(format!("'{}' is not a 32-bit integer.", excerpt(text))),
    }
}

fn long(text: &str) -> Read<i64> {
    match text.trim().parse() {
        Ok(number) => Ok(number),
        Err(_) => unreadable(format!("'{}' is not a 64-bit integer.", excerpt(text))),
    }
}

/// Reads a number, or one of the three words that stand for what JSON numbers cannot say.
pub(crate) fn double(text: &str) -> Read<f64> {
    let text = text.trim();
    match special_double(text) {
        Some(number) => return Ok(number),
        // Rust reads more words than the protocols know.
        None if text.len() > MAX_NUMBER_CHARS
            || text.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E')) => {}
        None => {
            if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
                return Ok(number);
            }
        }
    }
    unreadable(format!("'{}' is not a number.", excerpt(text)))
}

pub(crate) fn special_double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

pub(crate) fn write_double(number: f64, single: bool) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else if single {
        // The shortest text that reads back as the same 32 bits.
        format!("{:?}", number as f32)
    } else {
        format!("{number:?}")
    }
}

pub(crate) fn base64_bytes(text: &str) -> Read<Vec<u8>> {
    let dense;
    let text = if text.bytes().any(|b| b.is_ascii_whitespace()) {
        dense = text.split_ascii_whitespace().collect::<String>();
        &dense
    } else {
        text
    };
    match STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)) {
        Ok(bytes) => Ok(bytes),
        Err(_) => unreadable("A blob is not valid base64."),
    }
}

pub(crate) fn timestamp(text: &str, format: TimestampFormat) -> Read<Timestamp> {
    let expected = match format {
        TimestampFormat::Iso8601 => Timestamp::parse_iso8601(text),
        TimestampFormat::HttpDate => Timestamp::parse_http_date(text),
        TimestampFormat::EpochSeconds => Timestamp::parse_epoch_seconds(text),
    };
    // AWS reads what older tools write: any of its own forms, wherever an instant may stand.
    let any = expected
        .or_else(|_| Timestamp::parse_iso8601(text))
        .or_else(|_| Timestamp::parse_http_date(text))
        .or_else(|_| Timestamp::parse_epoch_seconds(text))
        .or_else(|_| Timestamp::parse_compact(text));
    match any {
        Ok(at) => Ok(at),
        Err(_) => unreadable(format!("'{}' is not a valid timestamp.", excerpt(text))),
    }
}

pub(crate) fn write_timestamp(at: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::Iso8601 => at.to_iso8601(),
        TimestampFormat::HttpDate => at.to_http_date(),
        TimestampFormat::EpochSeconds => at.to_epoch_seconds(),
    }
}

/// The beginning of a text, for messages that repeat what the caller sent.
pub(crate) fn excerpt(text: &str) -> &str {
    const MAX_CHARS: usize = 64;
    text.char_indices().nth(MAX_CHARS).map_or(text, |(at, _)| &text[..at])
}
