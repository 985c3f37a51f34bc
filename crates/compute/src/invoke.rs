//! What goes into an invocation and what comes out. Knows no HTTP: headers and status are the caller's.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::pool::rules::{ColdReason, Throttled};
use crate::response_stream::ResponseWriter;

/// The largest event of a synchronous invocation, in bytes.
pub const REQUEST_BYTES_MAX: usize = 6 * 1024 * 1024;

/// One event for a function.
#[derive(Clone, Debug, Default)]
pub struct InvokeRequest {
    /// Its name, unique among invocations.
    pub request_id: String,
    /// The ARN that was invoked, with the caller's qualifier; the function's own if `None`.
    pub invoked_arn: Option<String>,
    /// The event, at most [`REQUEST_BYTES_MAX`].
    pub payload: Bytes,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// The caller's context, as JSON.
    pub client_context: Option<String>,
    /// The caller's Cognito identity, as JSON.
    pub cognito_identity: Option<String>,
    /// Where the response goes as it comes, if the function streams it; what it returns whole is in the outcome.
    pub response_stream: Option<ResponseWriter>,
}

/// How an invocation ended.
#[derive(Clone, Debug)]
pub struct InvokeOutcome {
    /// The response, or the error as JSON; empty after a response that was streamed.
    pub payload: Bytes,
    /// Present if the function failed.
    pub function_error: Option<FunctionError>,
    /// What was logged during it, with the platform's lines: at most the last 256 KiB.
    pub log: String,
    /// Why an environment had to be started for it, if so.
    pub cold: Option<ColdReason>,
    /// How long the environment's start took, if it was cold.
    pub init_duration: Option<Duration>,
    /// How long the invocation took, the start not included.
    pub duration: Duration,
    /// What is billed, in milliseconds: the start and the invocation, rounded up.
    pub billed_ms: u64,
    /// The most memory that the environment has used so far; 0 where the host does not measure it.
    pub memory_max_bytes: u64,
    /// Things worth telling the user, such as a runtime of another version than was asked for.
    pub notes: Vec<String>,
    /// Present while extensions go on after the runtime has answered: the log lacks its end, and the figures are those
    /// of the runtime.
    pub unfinished: Option<Unfinished>,
}

impl InvokeOutcome {
    /// Waits until extensions have done their part, and returns the whole.
    pub async fn finished(mut self) -> Self {
        let Some(Unfinished(mut later)) = self.unfinished.take() else { return self };
        let finished = later.wait_for(Option::is_some).await.ok().and_then(|finished| finished.clone());
        if let Some(Finished { log, duration, billed_ms, memory_max_bytes }) = finished {
            (self.log, self.duration) = (log, duration);
            (self.billed_ms, self.memory_max_bytes) = (billed_ms, memory_max_bytes);
        }
        self
    }
}

/// The rest of an invocation, which is still to come.
#[derive(Clone, Debug)]
pub struct Unfinished(watch::Receiver<Option<Finished>>);

impl Unfinished {
    pub(crate) fn new(later: watch::Receiver<Option<Finished>>) -> Self {
        Self(later)
    }
}

/// What the rest of an invocation changes.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) log: String,
    pub(crate) duration: Duration,
    pub(crate) billed_ms: u64,
    pub(crate) memory_max_bytes: u64,
}

/// That the function failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// `Unhandled`, as in `X-Amz-Function-Error`.
    pub kind: &'static str,
    /// Such as `Runtime.ExitError` or the name of an exception.
    pub error_type: String,
}

/// An invocation that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvokeError {
    /// As many invocations run or wait as may.
    Throttled(Throttled),
    /// The event exceeds [`REQUEST_BYTES_MAX`].
    TooLarge(usize),
    /// The function cannot run on this host: an interpreter is missing, a path is wrong.
    Unsupported(String),
    /// The host refused something: a fault of the platform.
    Host(String),
    /// The platform is stopping.
    Stopping,
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled(Throttled::Function(max)) => {
                write!(f, "too many invocations at once: the function is limited to {max}")
            }
            Self::Throttled(Throttled::Share(max)) => {
                write!(f, "too many invocations at once: all functions together are limited to {max}")
            }
            Self::Throttled(Throttled::Scaling(max)) => {
                write!(f, "too many environments: {max} were started within ten seconds")
            }
            Self::Throttled(Throttled::Waiting(count)) => {
                write!(f, "too many invocations at once: {count} wait for an environment already")
            }
            Self::TooLarge(bytes) => {
                write!(f, "the event of {bytes} bytes exceeds the limit of {REQUEST_BYTES_MAX}")
            }
            Self::Unsupported(why) | Self::Host(why) => f.write_str(why),
            Self::Stopping => f.write_str("the platform is stopping"),
        }
    }
}

impl std::error::Error for InvokeError {}
