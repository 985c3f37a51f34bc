//! How a function's log is written and what of it is kept: AWS's advanced logging controls. Knows no configuration.

use serde_json::Value;

use crate::platform_event::{PlatformEvent, PlatformRecord, Schema};

/// How urgent a line is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `TRACE`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`: what lines have that tell nothing else.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
    /// `FATAL`.
    Fatal,
}

impl LogLevel {
    const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Its name in Lambda's API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The level of a name, in any case; Python's names count too.
    pub fn named(name: &str) -> Option<Self> {
        let same = |other: &str| name.eq_ignore_ascii_case(other);
        match Self::ALL.into_iter().find(|level| same(level.name())) {
            None if same("WARNING") => Some(Self::Warn),
            None if same("CRITICAL") => Some(Self::Fatal),
            found => found,
        }
    }
}

/// How a function's log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines of text, all of them.
    #[default]
    Text,
    /// The platform's own lines are JSON, and so are those of runtimes that know how; less urgent ones are left out.
    Json {
        /// From which level on what the function writes is kept.
        application: LogLevel,
        /// From which level on the platform's own lines are kept; one of the middle three.
        system: LogLevel,
    },
}

/// The names under which a line's time is looked for: the managed runtimes', and that of Go's `slog`.
const TIME_MEMBERS: [&str; 2] = ["timestamp", "time"];
const DATE_BYTES: usize = 10;

impl LogFormat {
    /// What functions are told in `AWS_LAMBDA_LOG_FORMAT`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json { .. } => "JSON",
        }
    }

    /// What the platform says as lines of the log, without the end of the last; nothing if the log does not tell it.
    pub(crate) fn platform_line(self, event: &PlatformEvent) -> Option<String> {
        let schema = match self {
            Self::Text => return event.text(),
            Self::Json { system, .. } if event.record.level() < system => return None,
            // Of the two APIs with which logs share their JSON, only the older has a form for faults.
            Self::Json { .. } if matches!(event.record, PlatformRecord::Fault(_)) => Schema::Logs20210318,
            Self::Json { .. } => Schema::Telemetry20250129,
        };
        event.json(schema).map(|json| json.to_string())
    }

    /// Whether a line that the function wrote is kept.
    pub(crate) fn keeps(self, line: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Json { application, .. } => application == LogLevel::Trace || level(line) >= application,
        }
    }
}

/// The level that a line says it has: a JSON object with a level and, as AWS wants it, a time.
fn level(line: &str) -> LogLevel {
    let said = || {
        let line = line.trim_start();
        let Ok(Value::Object(object)) = line.starts_with('{').then(|| serde_json::from_str(line))? else {
            return None;
        };
        let time = TIME_MEMBERS.iter().find_map(|name| object.get(*name)?.as_str())?;
        // AWS asks for RFC 3339. What Powertools and AWS's runtime for Python write differs from it behind the date, and
        // an error must not be lost for that.
        begins_with_date(time).then(|| LogLevel::named(object.get("level")?.as_str()?))?
    };
    said().unwrap_or(LogLevel::Info)
}

/// `2026-11-29`, and whatever follows.
fn begins_with_date(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() >= DATE_BYTES && text.bytes().take(DATE_BYTES).enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_where_a_line_has_one_and_a_time() {
        let cases = [
            (r#"{"timestamp":"2026-11-29T10:00:00.123Z","level":"DEBUG","message":"m"}"#, LogLevel::Debug),
            (r#" {"time":"2026-11-29T10:00:00.123456789+02:00","level":"warn"}"#, LogLevel::Warn),
            (r#"{"timestamp":"2026-11-29T10:00:00","level":"ERROR"}"#, LogLevel::Error),
            (r#"{"timestamp":"2026-11-29 10:00:00,123+0000","level":"ERROR"}"#, LogLevel::Error),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":"WARNING"}"#, LogLevel::Warn),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":"critical"}"#, LogLevel::Fatal),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":"trace"}"#, LogLevel::Trace),
            // No time, another's idea of one, no level, none that is known, no text, no JSON, cut, no object.
            (r#"{"level":"debug"}"#, LogLevel::Info),
            (r#"{"timestamp":"yesterday at noon","level":"debug"}"#, LogLevel::Info),
            (r#"{"timestamp":"2026-11","level":"debug"}"#, LogLevel::Info),
            (r#"{"timestamp":"29/11/2026 10:00:00","level":"debug"}"#, LogLevel::Info),
            (r#"{"timestamp":"2026-11-29T10:00:00Z"}"#, LogLevel::Info),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":"loud"}"#, LogLevel::Info),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":10}"#, LogLevel::Info),
            ("debug", LogLevel::Info),
            (r#"{"timestamp":"2026-11-29T10:00:00Z","level":"DEBUG"#, LogLevel::Info),
            (r#"["DEBUG"]"#, LogLevel::Info),
            ("", LogLevel::Info),
        ];
        for (line, expected) in cases {
            assert_eq!(level(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_less_urgent_is_left_out() {
        let from = |application| LogFormat::Json { application, system: LogLevel::Info };
        let debug = r#"{"timestamp":"2026-11-29T10:00:00Z","level":"DEBUG"}"#;
        let error = r#"{"timestamp":"2026-11-29T10:00:00Z","level":"ERROR"}"#;
        assert!(LogFormat::Text.keeps(debug) && from(LogLevel::Trace).keeps(debug));
        assert!(from(LogLevel::Debug).keeps(debug) && !from(LogLevel::Info).keeps(debug));
        assert!(from(LogLevel::Info).keeps("plain") && !from(LogLevel::Warn).keeps("plain"));
        assert!(from(LogLevel::Error).keeps(error) && !from(LogLevel::Fatal).keeps(error));
    }

    #[test]
    fn names_are_read_back() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::named(level.name()), Some(level));
        }
    }
}
