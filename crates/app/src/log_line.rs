//! Lines of logs in JSON as people read them: what happened first, what else is known behind it. Other lines stay as
//! they are.

use serde_json::{Map, Value};

/// Where records have their parts; what is told otherwise already is left out of the rest.
const TOLD: [&str; 7] = ["timestamp", "time", "level", "message", "errorType", "errorMessage", "stackTrace"];

/// A message, over several lines if an error has a trace.
pub(crate) fn readable(message: &str) -> String {
    let plain = || message.trim_end_matches(['\n', '\r']).to_owned();
    match serde_json::from_str(message) {
        Ok(Value::Object(record)) => platform(&record).or_else(|| application(&record)).unwrap_or_else(plain),
        _ => plain(),
    }
}

/// What the platform said.
fn platform(event: &Map<String, Value>) -> Option<String> {
    let kind = event.get("type")?.as_str()?.strip_prefix("platform.")?;
    let mut line = kind.to_uppercase();
    match event.get("record")? {
        Value::Object(record) => members(record, &mut line),
        other => append(&mut line, None, other),
    }
    Some(line)
}

/// What a function said: a record with a level.
fn application(record: &Map<String, Value>) -> Option<String> {
    let level = record.get("level")?.as_str()?;
    let mut line = format!("{level:<5}");
    let nested =
        record.get("message").and_then(Value::as_object).filter(|told| told.contains_key("errorType"));
    // An error may be the message itself.
    let error = nested.unwrap_or(record);
    let part = |name| error.get(name).and_then(Value::as_str);
    let what = part("errorType").map(|kind| format!("{kind}: {}", part("errorMessage").unwrap_or_default()));
    match (record.get("message"), what) {
        (Some(message), what) if nested.is_none() => {
            append(&mut line, None, message);
            line.extend(what.map(|what| format!(" ({what})")));
        }
        (_, what) => line.extend(what.map(|what| format!(" {what}"))),
    }
    let rest = |(name, _): &(&String, &Value)| !TOLD.contains(&name.as_str());
    for (name, value) in nested.into_iter().flatten().chain(record).filter(rest) {
        append(&mut line, Some(name), value);
    }
    for frame in error.get("stackTrace").and_then(Value::as_array).into_iter().flatten() {
        let frame = frame.as_str().unwrap_or_default();
        line.extend(frame.lines().flat_map(|frame| ["\n    ", frame]));
    }
    Some(line)
}

fn members(record: &Map<String, Value>, line: &mut String) {
    for (name, value) in record {
        match value {
            // Figures, which have names of their own.
            Value::Object(inner) if name == "metrics" => members(inner, line),
            value => append(line, Some(name), value),
        }
    }
}

fn append(line: &mut String, name: Option<&str>, value: &Value) {
    line.push(' ');
    if let Some(name) = name {
        line.push_str(name);
        line.push('=');
    }
    match value {
        Value::String(text) => line.push_str(text),
        other => line.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_stays_as_it_is() {
        for message in
            ["plain", "  {indented", "[1]", r#"{"count":1}"#, r#"{"type":"platform.start"}"#, "12", ""]
        {
            assert_eq!(readable(message), message);
        }
        assert_eq!(readable("plain\r\n"), "plain");
    }

    #[test]
    fn records_are_told_in_a_line() {
        let start = r#"{"time":"t","type":"platform.start","record":{"requestId":"r","version":"$LATEST"}}"#;
        assert_eq!(readable(start), "START requestId=r version=$LATEST");
        let report = r#"{"time":"t","type":"platform.report","record":{"requestId":"r","metrics":{"durationMs":1.5},"status":"success"}}"#;
        assert_eq!(readable(report), "REPORT requestId=r durationMs=1.5 status=success");
        let fault = r#"{"time":"t","type":"platform.fault","record":"it broke"}"#;
        assert_eq!(readable(fault), "FAULT it broke");
        let info = r#"{"timestamp":"t","level":"INFO","message":"hello","logger":"root","requestId":"r"}"#;
        assert_eq!(readable(info), "INFO  hello logger=root requestId=r");
        let object = r#"{"timestamp":"t","level":"WARN","requestId":"r","message":{"a":[1]}}"#;
        assert_eq!(readable(object), r#"WARN  {"a":[1]} requestId=r"#);
    }

    #[test]
    fn errors_bring_their_traces() {
        let python = r#"{"timestamp":"t","level":"ERROR","errorMessage":"no","errorType":"ValueError","requestId":"r","stackTrace":["  File \"a.py\"\n    raise\n"]}"#;
        assert_eq!(readable(python), "ERROR ValueError: no requestId=r\n      File \"a.py\"\n        raise");
        let node = r#"{"timestamp":"t","level":"ERROR","requestId":"r","message":{"errorType":"Error","errorMessage":"no","stackTrace":["Error: no","    at x"],"code":7}}"#;
        assert_eq!(readable(node), "ERROR Error: no code=7 requestId=r\n    Error: no\n        at x");
        let caught = r#"{"timestamp":"t","level":"ERROR","message":"failed","errorType":"KeyError","errorMessage":"'k'","stackTrace":[]}"#;
        assert_eq!(readable(caught), "ERROR failed (KeyError: 'k')");
    }
}
