//! `apus logs`: what a function logged, and what it logs from now on.
//!
//! Following begins before the past is read, so that nothing falls between the two; what both tell is told once.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, StdoutLock, Write};
use std::process::ExitCode;

use apus_time::Timestamp;
use apus_wire::event_stream::Message;
use bytes::{Bytes, BytesMut};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::cli::{Logs, Since};
use crate::log_line::readable;
use crate::remote::{Answer, now};

/// Events of the past that are remembered, in case that they come once more.
const REMEMBERED_MAX: usize = 10_000;
/// How far the next session looks back behind the last event of the one before.
const OVERLAP_MS: i64 = 60_000;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
const NOT_FOUND: &str = "ResourceNotFoundException";

/// Why telling ends.
enum End {
    /// Nobody reads it any more.
    Unread,
    /// Something went wrong.
    Problem(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Problem(format!("the lines could not be written: {error}")),
        }
    }
}

impl From<String> for End {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

/// Tells what there is, and with `--follow` what comes.
pub(crate) fn run(options: &Logs) -> Result<ExitCode, String> {
    let teller = Teller {
        options,
        out: io::stdout().lock(),
        function: None,
        told: Remembered::default(),
        before: Remembered::default(),
        past: Remembered::default(),
    };
    match teller.tell() {
        Ok(()) | Err(End::Unread) => Ok(ExitCode::SUCCESS),
        Err(End::Problem(problem)) => Err(problem),
    }
}

struct Teller<'a> {
    options: &'a Logs,
    out: StdoutLock<'static>,
    /// Whose events alone are told, of a group that may be that of many functions: what is in its streams' names.
    function: Option<String>,
    /// In this session of following; in the one before it; and of this one what came out of the past.
    told: Remembered,
    before: Remembered,
    past: Remembered,
}

impl Teller<'_> {
    fn tell(mut self) -> Result<(), End> {
        let group = self.group()?;
        let own = format!("/aws/lambda/{}", self.options.name);
        if group != self.options.name && group != own {
            self.function = Some(format!("/{}[", self.options.name));
        }
        let mut from = match self.options.since {
            Since::At(at) => at.as_millis(),
            Since::Ago(ago) => (now() - ago).as_millis(),
        };
        if !self.options.follow {
            return self.tell_past(&group, from);
        }
        // A live tail ends after some hours, and another goes on where it ended.
        loop {
            let arn = self.arn(&group)?;
            from = self.session(&group, &arn, from)?;
        }
    }

    /// The group that a name means: a function's, or that of this name.
    fn group(&self) -> Result<String, String> {
        let name = &self.options.name;
        if name.starts_with('/') {
            return Ok(name.clone());
        }
        let path =
            format!("/2015-03-31/functions/{}/configuration", utf8_percent_encode(name, NON_ALPHANUMERIC));
        let answer = self.options.remote.ask("GET", &path, "", &[], b"")?;
        // Who may not look at functions may still look at logs, and what is no function's name may be a group's.
        match answer.status {
            400.. => Ok(name.clone()),
            _ => match answer.json()?["LoggingConfig"]["LogGroup"].as_str() {
                Some(group) => Ok(group.to_owned()),
                None => Ok(format!("/aws/lambda/{name}")),
            },
        }
    }

    /// What a live tail knows the group by.
    fn arn(&self, group: &str) -> Result<String, String> {
        let mut token = Value::Null;
        loop {
            let mut input = json!({ "logGroupNamePrefix": group });
            if token != Value::Null {
                input["nextToken"] = token;
            }
            let mut page = self.answered(group, &self.options.remote.logs("DescribeLogGroups", &input)?)?;
            let groups = page["logGroups"].as_array().map_or(&[][..], Vec::as_slice);
            if let Some(found) = groups.iter().find(|found| found["logGroupName"] == group) {
                return Ok(found["logGroupArn"].as_str().unwrap_or(group).to_owned());
            }
            token = page["nextToken"].take();
            if token == Value::Null {
                return Err(self.nothing(group));
            }
        }
    }

    /// Tells what is there, from that time on.
    fn tell_past(&mut self, group: &str, from_ms: i64) -> Result<(), End> {
        let mut input = json!({ "logGroupName": group, "startTime": from_ms });
        if let Some(pattern) = &self.options.filter {
            input["filterPattern"] = pattern.as_str().into();
        }
        loop {
            let mut page = self.answered(group, &self.options.remote.logs("FilterLogEvents", &input)?)?;
            for event in page["events"].as_array().into_iter().flatten() {
                if self.options.follow {
                    self.told.add(event);
                    if self.before.forget(event) {
                        continue;
                    }
                    self.past.add(event);
                }
                self.line(event)?;
            }
            match page["nextToken"].take() {
                Value::Null => return Ok(self.out.flush()?),
                token => input["nextToken"] = token,
            }
        }
    }

    /// Tells the past, and what comes until the session ends: when the next should begin.
    fn session(&mut self, group: &str, arn: &str, from_ms: i64) -> Result<i64, End> {
        let mut input = json!({ "logGroupIdentifiers": [arn] });
        if let Some(pattern) = &self.options.filter {
            input["logEventFilterPattern"] = pattern.as_str().into();
        }
        let begun_ms = now().as_millis();
        let mut stream = match self.options.remote.logs_stream("StartLiveTail", &input)? {
            Ok(stream) => stream,
            Err(answer) => {
                self.answered(group, &answer)?;
                return Err("the instance answered no live tail".to_owned().into());
            }
        };
        (self.before, self.past) = (std::mem::take(&mut self.told), Remembered::default());
        let mut latest_ms = begun_ms;
        let mut frames = Frames::default();
        loop {
            let Some(message) = frames.next(&mut stream)? else {
                return Err("the instance ended the live tail".to_owned().into());
            };
            let payload: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            match message.header(":event-type").or(message.header(":exception-type")).unwrap_or_default() {
                // What every stream of events begins with.
                "initial-response" => {}
                "sessionStart" => self.tell_past(group, from_ms)?,
                "sessionUpdate" => {
                    for event in payload["sessionResults"].as_array().into_iter().flatten() {
                        latest_ms = latest_ms.max(event["ingestionTime"].as_i64().unwrap_or(0));
                        if !self.past.forget(event) {
                            self.told.add(event);
                            self.line(event)?;
                        }
                    }
                    self.out.flush()?;
                    if payload["sessionMetadata"]["sampled"] == true {
                        eprintln!("warning: more came than a live tail tells; some lines are left out");
                    }
                }
                "SessionTimeoutException" => return Ok(latest_ms - OVERLAP_MS),
                other => {
                    let why = payload["message"].as_str().unwrap_or(other);
                    return Err(format!("the live tail ended: {why}").into());
                }
            }
        }
    }

    fn line(&mut self, event: &Value) -> io::Result<()> {
        let stream = event["logStreamName"].as_str().unwrap_or_default();
        if self.function.as_ref().is_some_and(|function| !stream.contains(function)) {
            return Ok(());
        }
        let message = event["message"].as_str().unwrap_or_default();
        let ms = event["timestamp"].as_i64().unwrap_or_default();
        if self.options.json {
            let shown = json!({
                "timestamp": Timestamp::from_millis(ms).to_iso8601_millis(),
                "logStreamName": event["logStreamName"],
                "message": message,
            });
            writeln!(self.out, "{shown}")
        } else {
            let at = Timestamp::from_millis(ms).to_iso8601_millis();
            writeln!(self.out, "{at}  {}", readable(message))
        }
    }

    /// The answer's JSON, or what is wrong in words that help.
    fn answered(&self, group: &str, answer: &Answer) -> Result<Value, String> {
        if answer.error_name().is_some_and(|name| name == NOT_FOUND) {
            return Err(self.nothing(group));
        }
        answer.json()
    }

    fn nothing(&self, group: &str) -> String {
        let named = &self.options.name;
        let what = if group == named {
            format!("there is no function and no log group `{named}`")
        } else {
            format!("`{named}` has logged nothing yet: its log group `{group}` is not there")
        };
        format!(
            "{what}; a group is made with a function's first line, if the function's role may call \
             logs:CreateLogGroup, logs:CreateLogStream and logs:PutLogEvents"
        )
    }
}

/// Events that were told already and may come once more.
#[derive(Default)]
struct Remembered {
    counts: BTreeMap<String, usize>,
    order: VecDeque<String>,
}

impl Remembered {
    fn add(&mut self, event: &Value) {
        let key = key(event);
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.take(&oldest);
        }
        *self.counts.entry(key.clone()).or_default() += 1;
        self.order.push_back(key);
    }

    /// Whether it was told; the next of its like was not.
    fn forget(&mut self, event: &Value) -> bool {
        self.take(&key(event))
    }

    fn take(&mut self, key: &str) -> bool {
        let Some(count) = self.counts.get_mut(key) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(key);
        }
        true
    }
}

/// What tells events apart as far as both ways of reading tell it.
fn key(event: &Value) -> String {
    let part = |name: &str| event[name].to_string();
    [part("timestamp"), part("ingestionTime"), part("logStreamName"), part("message")].join(" ")
}

/// Messages out of bytes.
#[derive(Default)]
struct Frames(BytesMut);

impl Frames {
    fn next(&mut self, from: &mut impl Read) -> Result<Option<Message>, String> {
        loop {
            let mut bytes: Bytes = std::mem::take(&mut self.0).freeze();
            let found =
                Message::decode(&mut bytes).map_err(|error| format!("the live tail broke off: {error}"))?;
            self.0 = BytesMut::from(&bytes[..]);
            if found.is_some() {
                return Ok(found);
            }
            let mut more = vec![0; READ_BYTES];
            let read = from.read(&mut more);
            let read = read.map_err(|error| format!("the instance went away: {error}"))?;
            if read == 0 {
                return Ok(None);
            }
            self.0.extend_from_slice(&more[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_told_once_and_its_twin_again() {
        let event = |message: &str| json!({"timestamp": 1, "ingestionTime": 2, "logStreamName": "s", "message": message});
        let mut remembered = Remembered::default();
        remembered.add(&event("a"));
        remembered.add(&event("a"));
        assert!(!remembered.forget(&event("b")));
        assert!(remembered.forget(&event("a")) && remembered.forget(&event("a")));
        assert!(!remembered.forget(&event("a")));
        for number in 0..2 * REMEMBERED_MAX {
            remembered.add(&event(&number.to_string()));
        }
        assert!(remembered.counts.len() <= REMEMBERED_MAX);
        assert!(
            !remembered.forget(&event("0"))
                && remembered.forget(&event(&(2 * REMEMBERED_MAX - 1).to_string()))
        );
    }

    #[test]
    fn times_are_read() {
        use std::time::Duration;
        assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_mins(10))));
        assert_eq!("1w".parse(), Ok(Since::Ago(Duration::from_hours(168))));
        assert!(matches!("2026-11-21T10:32:00Z".parse(), Ok(Since::At(_))));
        for text in ["", "m", "10", "10x", "-1m", "99999999999s", "soon"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
