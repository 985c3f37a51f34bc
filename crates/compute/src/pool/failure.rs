//! What each way of failing is called, in the JSON that callers see and in the log: AWS's words.

use std::time::Duration;

use apus_time::Timestamp;
use bytes::Bytes;
use serde_json::json;

use crate::driver::Exit;
use crate::exchange::{EXTENSIONS_MAX, ExtensionFault, Fault, ShutdownReason};
use crate::platform_event::Status;

const TRUNCATED: &str = "the runtime broke off its response";

/// How a function failed.
#[derive(Clone)]
pub(super) enum Failure {
    Fault(Fault),
    Exited(Exit),
    TimedOut,
    /// More than so many bytes.
    TooLarge(u64),
    Truncated,
    Entrypoint(String),
    Extension(ExtensionFailure),
}

/// How an extension failed.
#[derive(Clone)]
pub(super) enum ExtensionFailure {
    /// Its process ended.
    Crashed(String, Exit),
    /// It says that it failed.
    Reported(ExtensionFault),
    /// It cannot be executed.
    Launch(String),
    /// There are so many.
    TooMany(usize),
}

impl ExtensionFailure {
    pub(super) fn error_type(&self) -> &'static str {
        match self {
            Self::Crashed(..) => "Extension.Crash",
            Self::Reported(fault) if fault.in_init => "Extension.InitError",
            Self::Reported(_) => "Extension.ExitError",
            Self::Launch(_) => "Extension.LaunchError",
            Self::TooMany(_) => "Extension.TooManyExtensions",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Crashed(_, Exit::Status(status)) => format!("exit code {status}"),
            Self::Crashed(_, Exit::Signal(signal)) => format!("signal: {}", signal_name(*signal)),
            Self::Crashed(_, Exit::OutOfMemory | Exit::Killed) => "signal: killed".into(),
            Self::Reported(fault) => {
                let error_type = fault.error_type.as_deref().unwrap_or("Extension.Unknown");
                format!("the extension {} failed: {error_type}", fault.name)
            }
            Self::Launch(why) => why.clone(),
            Self::TooMany(count) => {
                format!("there are {count} files in /opt/extensions; at most {EXTENSIONS_MAX} may be")
            }
        }
    }

    /// Whose failure it is, if it is one's.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Crashed(name, _) => Some(name),
            Self::Reported(fault) => Some(&fault.name),
            Self::Launch(_) | Self::TooMany(_) => None,
        }
    }
}

impl Failure {
    pub(super) fn error_type(&self) -> String {
        match self {
            Self::Fault(fault) => fault.error_type.clone().unwrap_or_else(|| "Runtime.Unknown".into()),
            Self::Exited(Exit::OutOfMemory) => "Runtime.OutOfMemory".into(),
            Self::Exited(_) => "Runtime.ExitError".into(),
            Self::TimedOut => "Sandbox.Timedout".into(),
            Self::TooLarge(_) => "Function.ResponseSizeTooLarge".into(),
            Self::Truncated => "Runtime.TruncatedResponse".into(),
            Self::Entrypoint(_) => "Runtime.InvalidEntrypoint".into(),
            Self::Extension(failure) => failure.error_type().into(),
        }
    }

    /// Why its environment ends, if it does.
    pub(super) fn shutdown_reason(&self) -> Option<ShutdownReason> {
        match self {
            Self::Fault(_) | Self::TooLarge(_) | Self::Truncated => None,
            Self::TimedOut => Some(ShutdownReason::Timeout),
            Self::Exited(_) | Self::Entrypoint(_) | Self::Extension(_) => Some(ShutdownReason::Failure),
        }
    }

    /// How what ended so is reported.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::TimedOut => Status::Timeout,
            Self::Fault(_) => Status::Error(self.error_type()),
            _ => Status::Failure(self.error_type()),
        }
    }

    /// The JSON that callers see.
    pub(super) fn payload(&self, request_id: &str, timeout: Duration) -> Bytes {
        let message = match self {
            Self::Fault(fault) => return with_request_id(&fault.body, request_id),
            Self::Exited(exit) => format!("RequestId: {request_id} Error: {}", exit_text(*exit)),
            Self::TimedOut => {
                format!(
                    "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                    timeout.as_secs_f64()
                )
            }
            Self::TooLarge(limit) => too_large(*limit),
            Self::Truncated => format!("RequestId: {request_id} Error: {TRUNCATED}"),
            Self::Entrypoint(why) => format!("RequestId: {request_id} Error: {why}"),
            Self::Extension(failure) => format!("RequestId: {request_id} Error: {}", failure.message()),
        };
        json!({ "errorType": self.error_type(), "errorMessage": message }).to_string().into()
    }

    /// What the platform adds to the log; a runtime's report is in it already.
    pub(super) fn log_line(&self, request_id: &str, now: Timestamp, timeout: Duration) -> Option<String> {
        match self {
            Self::Fault(_) => None,
            Self::TimedOut => Some(format!(
                "{} {request_id} Task timed out after {:.2} seconds\n",
                now.to_iso8601_millis(),
                timeout.as_secs_f64()
            )),
            Self::Exited(exit) => {
                Some(format!("RequestId: {request_id} Error: {}\nRuntime.ExitError", exit_text(*exit)))
            }
            Self::TooLarge(limit) => Some(too_large(*limit)),
            Self::Truncated => {
                Some(format!("RequestId: {request_id} Error: {TRUNCATED}\nRuntime.TruncatedResponse"))
            }
            Self::Entrypoint(why) => {
                Some(format!("RequestId: {request_id} Error: {why}\nRuntime.InvalidEntrypoint"))
            }
            Self::Extension(failure) => Some(format!(
                "RequestId: {request_id} Error: {}\n{}",
                failure.message(),
                failure.error_type()
            )),
        }
    }
}

fn too_large(limit: u64) -> String {
    format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).")
}

/// A runtime that fails to initialise does not know for which invocation it was started.
fn with_request_id(body: &Bytes, request_id: &str) -> Bytes {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::Object(mut report)) if report.get("requestId").is_some_and(|id| id == "") => {
            report.insert("requestId".into(), request_id.into());
            serde_json::Value::Object(report).to_string().into()
        }
        _ => body.clone(),
    }
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Status(0) => "Runtime exited without providing a reason".into(),
        Exit::Status(status) => format!("Runtime exited with error: exit status {status}"),
        Exit::Signal(signal) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        Exit::OutOfMemory | Exit::Killed => "Runtime exited with error: signal: killed".into(),
    }
}

/// A signal in the words of AWS's log.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.into()
}
