//! `apus invoke`: runs a function; `apus ps`: what stands of functions.

use std::io::Read;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cli;
use crate::log_line::readable;
use crate::remote::encoded;

/// The most bytes of an event: what Lambda takes.
const EVENT_BYTES_MAX: u64 = 6 * 1024 * 1024;

/// Runs a function with an event and shows what it answers.
pub(crate) fn invoke(options: &cli::Invoke) -> Result<ExitCode, String> {
    let event = event(options.payload.as_deref())?;
    let path = format!("/2015-03-31/functions/{}/invocations", encoded(&options.function));
    let query =
        options.qualifier.as_ref().map_or_else(String::new, |own| format!("Qualifier={}", encoded(own)));
    let kind = if options.event { "Event" } else { "RequestResponse" };
    let mut headers = vec![("x-amz-invocation-type", kind)];
    if options.tail {
        headers.push(("x-amz-log-type", "Tail"));
    }
    let answer = options.remote.ask("POST", &path, &query, &headers, &event)?;
    if answer.status >= 300 {
        return answer.json().map(|_| ExitCode::FAILURE);
    }
    let id = answer.header("x-amzn-requestid").unwrap_or("unknown");
    let error = answer.header("x-amz-function-error");
    let log = answer.header("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok());
    let log = log.map(|log| String::from_utf8_lossy(&log).into_owned());
    let payload = String::from_utf8_lossy(&answer.body);
    if options.json {
        let version = answer.header("x-amz-executed-version");
        let shown = serde_json::json!({
            "requestId": id, "status": answer.status, "version": version, "functionError": error, "log": log,
            "payload": payload,
        });
        println!("{shown}");
    } else {
        for line in log.iter().flat_map(|log| log.lines()) {
            eprintln!("{}", readable(line));
        }
        if options.event {
            println!("{} will get the event, as request {id}", options.function);
        } else {
            println!("{payload}");
        }
    }
    if let Some(error) = error.filter(|_| !options.json) {
        eprintln!(
            "the function failed ({error}); `apus executions --function {}` tells more",
            options.function
        );
    }
    Ok(if error.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The event: a text, a file's, or what comes in.
fn event(payload: Option<&str>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match payload {
        None => bytes.extend_from_slice(b"{}"),
        Some("-") => {
            let input = std::io::stdin().take(EVENT_BYTES_MAX + 1).read_to_end(&mut bytes);
            input.map_err(|error| format!("the event could not be read: {error}"))?;
        }
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                bytes = std::fs::read(path).map_err(|error| format!("{path} could not be read: {error}"))?;
            }
            None => bytes.extend_from_slice(text.as_bytes()),
        },
    }
    if let Err(error) = serde_json::from_slice::<Value>(&bytes) {
        return Err(format!(
            "the event is not JSON: {error}; write it as '{{\"key\": \"value\"}}', @FILE or -"
        ));
    }
    Ok(bytes)
}

/// Lists the environments.
pub(crate) fn ps(options: &cli::Ps) -> Result<ExitCode, String> {
    let found = options.remote.ask("GET", "/_apus/environments", "", &[], b"")?.json()?;
    let none = Vec::new();
    let environments = found["environments"].as_array().unwrap_or(&none);
    let is_wanted = |one: &&Value| options.function.as_ref().is_none_or(|name| one["function"] == **name);
    let wanted: Vec<&Value> = environments.iter().filter(is_wanted).collect();
    if options.json {
        println!("{}", wanted.into_iter().cloned().collect::<Value>());
    } else if wanted.is_empty() {
        println!("no environment stands; the next invocation starts one");
    } else {
        for one in wanted {
            println!("{}", line(one));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An environment in a line.
fn line(environment: &Value) -> String {
    let e = |name: &str| environment[name].as_str().unwrap_or_default();
    let mut line = format!("{}  {}:{}  {}", environment["id"], e("function"), e("version"), e("state"));
    if let Some(age) = environment["ageSeconds"].as_f64() {
        let used = environment["memoryUsedMb"].as_u64().map_or("?".to_owned(), |used| used.to_string());
        line = format!(
            "{line}  for {age:.0} s  {} invocations  {used} of {} MB  started because {} ({:.2} ms)",
            environment["invocations"],
            environment["memoryMb"],
            e("reason"),
            environment["initMs"].as_f64().unwrap_or_default(),
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_what_there_is_to_tell() {
        let starting = json!({ "id": 7, "function": "f", "version": "$LATEST", "state": "starting", "ageSeconds": null });
        assert_eq!(line(&starting), "7  f:$LATEST  starting");
        let frozen = json!({
            "id": 8, "function": "f", "version": "3", "state": "frozen", "ageSeconds": 61.4, "reason": "why",
            "initMs": 12.345, "invocations": 2, "memoryMb": 128, "memoryUsedMb": 9,
        });
        assert_eq!(
            line(&frozen),
            "8  f:3  frozen  for 61 s  2 invocations  9 of 128 MB  started because why (12.35 ms)"
        );
    }

    #[test]
    fn events_are_json() {
        assert_eq!(event(None), Ok(b"{}".to_vec()));
        assert_eq!(event(Some("[1]")), Ok(b"[1]".to_vec()));
        assert!(event(Some("{a}")).is_err_and(|why| why.contains("not JSON")));
        assert!(event(Some("@/none")).is_err_and(|why| why.contains("/none could not be read")));
    }
}
