//! `apus executions`: what functions did; `apus replay`: one event once more.

use std::process::ExitCode;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli;

/// Executions that one request asks for.
const PAGE_MAX: usize = 100;
/// What is encoded in a URL: all but what a signature leaves alone.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Lists the newest executions, the newest first.
pub(crate) fn list(options: &cli::Executions) -> Result<ExitCode, String> {
    let mut found = Vec::new();
    let mut before: Option<String> = None;
    while found.len() < options.limit {
        let mut query = format!("limit={}", (options.limit - found.len()).min(PAGE_MAX));
        if let Some(function) = &options.function {
            query = format!("{query}&function={}", encoded(function));
        }
        if let Some(before) = &before {
            query = format!("{query}&before={}", encoded(before));
        }
        let mut page = options.remote.ask("GET", "/_apus/executions", &query, &[], b"")?.json()?;
        if let Some(executions) = page["executions"].as_array_mut() {
            found.append(executions);
        }
        match page["before"].as_str() {
            Some(next) => before = Some(next.to_owned()),
            None => break,
        }
    }
    if options.json {
        println!("{}", Value::from(found));
    } else if found.is_empty() {
        println!("no executions are kept");
    } else {
        for execution in &found {
            println!("{}", line(execution));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends the event of a request once more: to who waited for it then, the answer is shown.
pub(crate) fn replay(options: &cli::Replay) -> Result<ExitCode, String> {
    let path = format!("/_apus/executions/{}", encoded(&options.id));
    let found = options.remote.ask("GET", &path, "", &[], b"")?.json()?;
    let first = &found["attempts"][0];
    let function = first["function"].as_str().unwrap_or_default();
    let Some(event) = found["event"].as_str() else {
        let bytes = &first["eventBytes"];
        return Err(format!(
            "the event of {} has {bytes} bytes, and events of more than 32768 are not kept; send it again with \
             `aws lambda invoke`",
            options.id
        ));
    };
    let is_event = first["trigger"] == "event";
    let kind = if is_event { "Event" } else { "RequestResponse" };
    let path = format!("/2015-03-31/functions/{}/invocations", encoded(function));
    let query =
        first["qualifier"].as_str().map_or_else(String::new, |own| format!("Qualifier={}", encoded(own)));
    let answer =
        options.remote.ask("POST", &path, &query, &[("x-amz-invocation-type", kind)], event.as_bytes())?;
    if answer.status >= 300 {
        return answer.json().map(|_| ExitCode::FAILURE);
    }
    let id = answer.header("x-amzn-requestid").unwrap_or("unknown").to_owned();
    let error = answer.header("x-amz-function-error").map(str::to_owned);
    let payload = String::from_utf8_lossy(&answer.body);
    if options.json {
        let shown = serde_json::json!({
            "requestId": id, "status": answer.status, "functionError": error, "payload": payload,
        });
        println!("{shown}");
    } else if is_event {
        println!("{function} will get the event again, as request {id}");
    } else {
        println!("{payload}");
    }
    Ok(if error.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// An execution in a line: when, which, how it went and how long it took.
fn line(execution: &Value) -> String {
    let e = |name: &str| match &execution[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = format!(
        "{}  {}  {}:{}  {}",
        e("startedAt"),
        e("requestId"),
        e("function"),
        e("version"),
        e("status")
    );
    let mut add = |text: String| {
        line.push_str("  ");
        line.push_str(&text);
    };
    if e("trigger") == "event" {
        let ended = e("ended");
        let end = if ended.is_empty() { "to be tried again".to_owned() } else { ended };
        add(format!("attempt {} ({end})", e("attempt")));
    }
    if let Some(duration) = execution["durationMs"].as_f64() {
        add(format!("{duration:.2} ms"));
    }
    if !e("cold").is_empty() {
        let init = execution["initMs"].as_f64().unwrap_or_default();
        add(format!("cold ({init:.2} ms: {})", e("cold")));
    }
    if !e("errorType").is_empty() {
        add(format!("{}: {}", e("errorType"), e("errorMessage").lines().next().unwrap_or_default()));
    }
    for undelivered in execution["undelivered"].as_array().into_iter().flatten() {
        add(format!("could not be told: {}", undelivered.as_str().unwrap_or_default()));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_what_there_is_to_tell() {
        let warm = json!({
            "startedAt": "T", "requestId": "r", "function": "f", "version": "7", "status": "succeeded",
            "trigger": "sync", "durationMs": 1.5, "cold": null, "undelivered": [],
        });
        assert_eq!(line(&warm), "T  r  f:7  succeeded  1.50 ms");
        let failed = json!({
            "startedAt": "T", "requestId": "r", "function": "f", "version": "7", "status": "failed",
            "trigger": "event", "attempt": 2, "ended": null, "durationMs": 1.5, "cold": "why", "initMs": 2.0,
            "errorType": "E", "errorMessage": "no\nmore", "undelivered": ["q: gone"],
        });
        assert_eq!(
            line(&failed),
            "T  r  f:7  failed  attempt 2 (to be tried again)  1.50 ms  cold (2.00 ms: why)  E: no  could not be told: q: gone"
        );
    }
}
