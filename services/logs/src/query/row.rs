//! A row: an event with its fields, or a group of them with its figures.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::value::Value;

/// Fields that are found in one message of JSON.
const FIELDS_MAX: usize = 200;
/// How deep they are looked for.
const DEPTH_MAX: usize = 16;
const MEGABYTE: f64 = 1_000_000.0;

/// A row of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    fields: BTreeMap<String, Value>,
    /// What is shown, in its order; nothing means what is shown without being asked for.
    shown: Option<Vec<String>>,
    time_ms: i64,
}

impl Row {
    /// An event, with the fields that are found in it.
    pub(crate) fn event(time_ms: i64, ingested_ms: i64, message: String, stream: &str, log: &str) -> Self {
        let mut fields = BTreeMap::new();
        if message.trim_start().starts_with('{')
            && let Ok(json) = serde_json::from_str::<Json>(&message)
        {
            flatten(&mut fields, String::new(), json, 0);
        }
        lambda_fields(&mut fields, &message);
        fields.insert("@timestamp".into(), Value::Time(time_ms));
        fields.insert("@ingestionTime".into(), Value::Time(ingested_ms));
        fields.insert("@message".into(), Value::Text(message));
        fields.insert("@logStream".into(), Value::Text(stream.to_owned()));
        fields.insert("@log".into(), Value::Text(log.to_owned()));
        Self { fields, shown: None, time_ms }
    }

    /// A group: what it shows, in its order.
    pub(crate) fn group(figures: Vec<(String, Value)>) -> Self {
        let shown = figures.iter().map(|(name, _)| name.clone()).collect();
        Self { fields: figures.into_iter().collect(), shown: Some(shown), time_ms: 0 }
    }

    pub(crate) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    pub(crate) fn field(&self, name: &str) -> Value {
        self.fields.get(name).cloned().unwrap_or(Value::Absent)
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// Shows these, beside what is shown already or instead of it.
    pub(crate) fn show(&mut self, names: impl Iterator<Item = String>, instead: bool) {
        let own = self.shown.get_or_insert_default();
        if instead {
            own.clear();
        }
        for name in names {
            if !own.contains(&name) {
                own.push(name);
            }
        }
    }

    /// All fields, for a record that is looked up.
    pub(crate) fn all(self) -> BTreeMap<String, String> {
        self.fields.into_iter().filter_map(|(name, value)| Some((name, value.shown()?))).collect()
    }

    /// What the caller reads. An event shows where it is, too.
    pub(super) fn shown(self) -> Vec<(String, String)> {
        let usual = || vec!["@timestamp".to_owned(), "@message".to_owned()];
        let mut names = self.shown.clone().unwrap_or_else(usual);
        if self.fields.contains_key("@ptr") && !names.iter().any(|name| name == "@ptr") {
            names.push("@ptr".to_owned());
        }
        names.into_iter().filter_map(|name| self.field(&name).shown().map(|text| (name, text))).collect()
    }
}

fn flatten(fields: &mut BTreeMap<String, Value>, name: String, json: Json, depth: usize) {
    if fields.len() >= FIELDS_MAX || depth > DEPTH_MAX {
        return;
    }
    let inner = |key: String| if name.is_empty() { key } else { format!("{name}.{key}") };
    let value = match json {
        Json::Object(members) => {
            return members
                .into_iter()
                .for_each(|(key, value)| flatten(fields, inner(key), value, depth + 1));
        }
        Json::Array(items) => {
            return items
                .into_iter()
                .enumerate()
                .for_each(|(at, value)| flatten(fields, inner(at.to_string()), value, depth + 1));
        }
        Json::Null => return,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::Number(number) => number.as_f64().map_or(Value::Absent, Value::of),
        Json::String(text) => Value::Text(text),
    };
    fields.insert(name, value);
}

/// What AWS finds in the lines that Lambda writes.
fn lambda_fields(fields: &mut BTreeMap<String, Value>, message: &str) {
    let Some((kind, rest)) = message.split_once(" RequestId: ") else { return };
    if !matches!(kind, "START" | "END" | "REPORT") {
        return;
    }
    let id = rest.split_whitespace().next().unwrap_or_default();
    fields.insert("@type".into(), Value::Text(kind.into()));
    fields.insert("@requestId".into(), Value::Text(id.into()));
    for part in rest.split('\t') {
        let Some((name, figure)) = part.split_once(": ") else { continue };
        let Some(number) = figure.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()) else {
            continue;
        };
        let (name, number) = match name {
            "Duration" => ("@duration", number),
            "Billed Duration" => ("@billedDuration", number),
            "Init Duration" => ("@initDuration", number),
            "Memory Size" => ("@memorySize", number * MEGABYTE),
            "Max Memory Used" => ("@maxMemoryUsed", number * MEGABYTE),
            _ => continue,
        };
        fields.insert(name.into(), Value::Number(number));
    }
}
