//! Values as the vectors write them: blobs as their text, instants as seconds, doubles that JSON lacks as words.

use apus_schema::{Body, Fields, Kind, Schema, Value};
use apus_time::Timestamp;
use serde_json::{Map, Number, Value as Json, json};

/// Fields as an object by the members' names.
pub(crate) fn fields_to_json(schema: &Schema, fields: &Fields) -> Json {
    let members = fields.iter().map(|(at, value)| {
        let member = &schema.members()[at];
        (member.name.to_owned(), to_json(member.shape, value))
    });
    Json::Object(members.collect())
}

fn to_json(schema: &Schema, value: &Value) -> Json {
    match (schema.kind, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Boolean(flag)) => json!(flag),
        (_, Value::Integer(number)) => json!(number),
        (_, Value::Double(number)) if number.is_nan() => json!("NaN"),
        (_, Value::Double(number)) if number.is_infinite() => {
            json!(if *number > 0.0 { "Infinity" } else { "-Infinity" })
        }
        (_, Value::Double(number)) => json!(number),
        (_, Value::String(text)) => json!(text),
        (_, Value::Blob(bytes)) => json!(String::from_utf8_lossy(bytes)),
        (_, Value::Stream(body)) => json!(String::from_utf8_lossy(&drain(body))),
        (_, Value::Timestamp(at)) if at.subsec_micros() == 0 => json!(at.as_secs()),
        (_, Value::Timestamp(at)) => json!(at.as_micros() as f64 / 1e6),
        (Kind::List { member, .. }, Value::List(items)) => {
            items.iter().map(|item| to_json(member, item)).collect()
        }
        (Kind::Map { value: shape, .. }, Value::Map(entries)) => {
            Json::Object(entries.iter().map(|(key, item)| (key.clone(), to_json(shape, item))).collect())
        }
        (_, Value::Structure(fields)) => fields_to_json(schema, fields),
        (_, Value::List(items)) => items.iter().map(|item| to_json(schema, item)).collect(),
        (_, Value::Map(entries)) => {
            Json::Object(entries.iter().map(|(key, item)| (key.clone(), to_json(schema, item))).collect())
        }
    }
}

/// The bytes of a body that is held whole, without a runtime.
pub(crate) fn drain(body: &Body) -> Vec<u8> {
    let mut future = Box::pin(body.collect(usize::MAX));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(bytes) => bytes.expect("a body held whole can be read").to_vec(),
        std::task::Poll::Pending => panic!("a body held whole is ready"),
    }
}

/// Fields from an object by the members' names.
pub(crate) fn fields_from_json(schema: &'static Schema, json: &Json) -> Fields {
    let empty = Map::new();
    let object = json.as_object().unwrap_or(&empty);
    let mut fields = Fields::new(schema);
    for (name, found) in object {
        let (at, member) = schema.member(name).unwrap_or_else(|| panic!("{} has no {name}", schema.name));
        if !found.is_null() || matches!(member.shape.kind, Kind::Document) {
            fields.set(at, from_json(member.shape, found));
        }
    }
    fields
}

fn from_json(schema: &'static Schema, json: &Json) -> Value {
    if json.is_null() {
        return Value::Null;
    }
    match schema.kind {
        Kind::Boolean => Value::Boolean(json == &Json::Bool(true)),
        Kind::Integer | Kind::Long => Value::Integer(json.as_i64().expect("an integer")),
        Kind::Float | Kind::Double => Value::Double(match json.as_str() {
            Some(word) => word.replace("Infinity", "inf").parse().expect("a word for a double"),
            None => json.as_f64().expect("a double"),
        }),
        Kind::String => Value::from(json.as_str().expect("a string")),
        Kind::Blob => Value::Blob(json.as_str().expect("a blob").to_owned().into()),
        Kind::Stream => Value::Stream(Body::full(json.as_str().expect("a stream").to_owned())),
        Kind::Timestamp(_) => {
            Value::Timestamp(Timestamp::from_epoch_seconds(json.as_f64().expect("an instant")))
        }
        Kind::Document => document(json),
        Kind::List { member, .. } => {
            Value::List(json.as_array().expect("a list").iter().map(|item| from_json(member, item)).collect())
        }
        Kind::Map { value, .. } => {
            let entries = json.as_object().expect("a map").iter();
            Value::Map(entries.map(|(key, item)| (key.clone(), from_json(value, item))).collect())
        }
        Kind::Structure { .. } => Value::Structure(fields_from_json(schema, json)),
    }
}

fn document(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().expect("a number")), Value::Integer)
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(document).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(key, item)| (key.clone(), document(item))).collect())
        }
    }
}

/// Numbers are equal by value, whatever their width; objects whatever their order.
pub(crate) fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => same_number(left, right),
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

fn same_number(left: &Number, right: &Number) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left == right,
        _ => left.as_f64() == right.as_f64(),
    }
}
