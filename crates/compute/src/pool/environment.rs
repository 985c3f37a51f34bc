//! One execution environment that has initialised: one invocation at a time. Knows neither the pool's other
//! environments nor what drives the sandbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_time::Timestamp;
use bytes::Bytes;
use tokio::sync::watch;

use super::cold::ColdReason;
use super::failure::Failure;
use super::init::Blueprint;
use super::living::Living;
use crate::exchange::{Answer, Invocation, RESPONSE_BYTES_MAX, ShutdownReason};
use crate::invoke::{Finished, FunctionError, InvokeOutcome, InvokeRequest, Unfinished};
use crate::output::EnvironmentLog;
use crate::platform_event::{End, Fault, PlatformRecord, Report, RuntimeDone, Span, Start, Status};
use crate::response_stream::STREAM_BYTES_MAX;
use crate::spec::FunctionSpec;
use crate::standing::Started;

/// An environment that has initialised.
pub(crate) struct Environment {
    pub(crate) living: Living,
    spec: FunctionSpec,
    log: Arc<EnvironmentLog>,
    /// For the first invocation, which was cold unless the environment was started ahead.
    birth: Mutex<Option<Birth>>,
    /// What is left of an invocation that the runtime has answered.
    rest: Mutex<Option<Rest>>,
    since: Timestamp,
    /// Why it was started, if not ahead of invocations.
    reason: Option<ColdReason>,
    init_duration: Duration,
    invocations: AtomicU64,
}

pub(super) struct Birth {
    /// How long the start took, and why it was made; absent if no invocation waited for it.
    init_duration: Option<Duration>,
    reason: Option<ColdReason>,
    notes: Vec<String>,
}

/// An invocation whose extensions have not done their part yet.
struct Rest {
    close: Close,
    begun: Duration,
    runtime_done: (Timestamp, Duration),
    finished: watch::Sender<Option<Finished>>,
}

/// Whether an environment can serve on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    Yes,
    /// It has to end for this.
    No(ShutdownReason),
}

impl Environment {
    /// One whose start took so long.
    pub(super) fn new(living: Living, blueprint: Blueprint, init_duration: Duration) -> Self {
        let reason = blueprint.reason;
        if reason.is_none() {
            // What it printed is no invocation's.
            blueprint.log.end();
        }
        let init_duration_of_first = reason.map(|_| init_duration);
        let birth = Birth { init_duration: init_duration_of_first, reason, notes: blueprint.notes };
        Self {
            since: living.env.now(),
            living,
            reason,
            init_duration,
            invocations: AtomicU64::new(0),
            spec: blueprint.spec,
            log: blueprint.log,
            birth: Mutex::new(Some(birth)),
            rest: Mutex::default(),
        }
    }

    /// What it tells who looks.
    pub(crate) fn started(&self) -> Started {
        Started {
            since: self.since,
            reason: self.reason,
            init_duration: self.init_duration,
            memory_mb: self.spec.memory_mb,
            memory_peak_bytes: self.living.sandbox.memory_peak_bytes(),
            invocations: self.invocations.load(Ordering::Relaxed),
        }
    }

    /// Runs one invocation, until the runtime has done its part. The environment is of no further use unless it is alive
    /// afterwards; if it is, [`Self::finish`] comes next.
    pub(crate) async fn invoke(&self, request: InvokeRequest) -> (InvokeOutcome, Alive) {
        let env = &self.living.env;
        let begun = env.monotonic();
        let begun_at = env.now();
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let (request_id, stream) = (request.request_id.clone(), request.response_stream);
        self.log.begin(&request_id);
        let trace_id = request.trace_id.clone();
        self.log.platform(start_record(&request_id, &self.spec, trace_id.clone()));
        let invocation = Arc::new(Invocation {
            request_id: request.request_id,
            deadline: begun_at + self.spec.timeout,
            function_arn: request.invoked_arn.unwrap_or_else(|| self.spec.arn.clone()),
            trace_id: request.trace_id,
            client_context: request.client_context,
            cognito_identity: request.cognito_identity,
            payload: request.payload,
        });
        let answered = async {
            tokio::select! {
                biased;
                // What broke off a response may be the end of the runtime, which is soon known, or not.
                answer = self.living.exchange.invoke(invocation, stream) => match answer {
                    Answer::Truncated => tokio::select! {
                        biased;
                        failure = self.living.broken() => Err(failure),
                        () = self.living.exchange.runtime_ready() => Ok(answer),
                    },
                    answer => Ok(answer),
                },
                failure = self.living.broken() => Err(failure),
            }
        };
        let result = env.timeout(self.spec.timeout, answered).await;
        let duration = env.monotonic().saturating_sub(begun);
        self.living.sandbox.drain_output();
        let result = match result {
            Ok(Ok(Answer::Response(payload))) => Ok(payload),
            Ok(Ok(Answer::Fault(fault))) => Err(Failure::Fault(fault)),
            Ok(Ok(Answer::TooLarge)) => Err(Failure::TooLarge(RESPONSE_BYTES_MAX as u64)),
            Ok(Ok(Answer::Streamed)) => Ok(Bytes::new()),
            Ok(Ok(Answer::StreamTooLarge)) => Err(Failure::TooLarge(STREAM_BYTES_MAX)),
            Ok(Ok(Answer::Truncated)) => Err(Failure::Truncated),
            Ok(Err(failure)) => Err(failure),
            Err(_elapsed) => Err(Failure::TimedOut),
        };
        let alive = match result.as_ref().err().and_then(Failure::shutdown_reason) {
            Some(reason) => Alive::No(reason),
            None => Alive::Yes,
        };
        let birth = self.birth.lock().expect("no code panics while it holds this lock").take();
        let (init_duration, reason, notes) = match birth {
            Some(birth) => (birth.init_duration, birth.reason, birth.notes),
            None => (None, None, Vec::new()),
        };
        let conclusion = Conclusion {
            result,
            initialised: true,
            trace_id,
            at: (begun_at, env.now()),
            duration,
            init_duration,
            reason,
            notes,
            memory_max_bytes: self.living.sandbox.memory_peak_bytes().unwrap_or(0),
        };
        let (mut outcome, close) = conclude(&self.spec, &self.log, &request_id, conclusion);
        if alive == Alive::Yes && self.living.has_extensions() {
            let (finished, later) = watch::channel(None);
            outcome.log = self.log.so_far();
            outcome.unfinished = Some(Unfinished::new(later));
            let rest = Rest { close, begun, runtime_done: (env.now(), duration), finished };
            *self.rest.lock().expect("no code panics while it holds this lock") = Some(rest);
        } else {
            outcome.log = close.write(&self.log, Vec::new());
        }
        (outcome, alive)
    }

    /// Waits until it can take another invocation: until the runtime and all extensions have asked for more. Where there
    /// are extensions, the function's timeout is for them too. Without, a runtime may take as long again to come back.
    pub(crate) async fn finish(&self) -> Alive {
        let env = &self.living.env;
        let rest = self.rest.lock().expect("no code panics while it holds this lock").take();
        let limit = match &rest {
            Some(rest) => (rest.begun + self.spec.timeout).saturating_sub(env.monotonic()),
            None => self.spec.timeout,
        };
        let ready = async {
            tokio::select! {
                biased;
                () = self.living.exchange.ready() => Ok(()),
                failure = self.living.broken() => Err(failure),
            }
        };
        let result = env.timeout(limit, ready).await.unwrap_or(Err(Failure::TimedOut));
        if let Some(rest) = rest {
            self.living.sandbox.drain_output();
            self.close(rest, result.as_ref().err());
        }
        self.living.telemetry.flush();
        match result {
            Ok(()) => Alive::Yes,
            Err(failure) => Alive::No(failure.shutdown_reason().unwrap_or(ShutdownReason::Failure)),
        }
    }

    /// Writes what is left to be said of an invocation.
    fn close(&self, rest: Rest, failure: Option<&Failure>) {
        let Rest { mut close, begun, runtime_done: (done_at, done), finished } = rest;
        let env = &self.living.env;
        let duration = env.monotonic().saturating_sub(begun);
        if let Some(failure) = failure {
            let text = failure.log_line(&close.report.request_id, env.now(), self.spec.timeout);
            if let Some(text) = text {
                self.log.platform(PlatformRecord::Fault(Fault { text }));
            }
            close.report.status = failure.status();
        }
        close.report.memory_max_bytes = self.living.sandbox.memory_peak_bytes().unwrap_or(0);
        close.take(duration);
        let overhead = duration.saturating_sub(done);
        let span = Span { name: "extensionOverhead", start: done_at, duration: overhead };
        let log = close.write(&self.log, vec![span]);
        finished.send_replace(Some(Finished {
            log,
            duration,
            billed_ms: close.report.billed_ms,
            memory_max_bytes: close.report.memory_max_bytes,
        }));
    }
}

/// How an invocation ended.
pub(super) struct Conclusion {
    pub(super) result: Result<Bytes, Failure>,
    /// Whether the runtime came as far as asking for the invocation.
    pub(super) initialised: bool,
    pub(super) trace_id: Option<String>,
    /// When it began, and when it ended.
    pub(super) at: (Timestamp, Timestamp),
    pub(super) duration: Duration,
    pub(super) init_duration: Option<Duration>,
    pub(super) reason: Option<ColdReason>,
    pub(super) notes: Vec<String>,
    pub(super) memory_max_bytes: u64,
}

/// The last lines of an invocation, to be written when all is done.
pub(super) struct Close {
    report: Report,
    /// Of the start, which is billed with it.
    init_duration: Duration,
}

impl Close {
    /// It has taken so long.
    fn take(&mut self, duration: Duration) {
        self.report.duration = duration;
        self.report.billed_ms = billed_ms(duration + self.init_duration);
    }

    /// Writes them, and returns the whole slice of the log.
    pub(super) fn write(&self, log: &EnvironmentLog, spans: Vec<Span>) -> String {
        log.platform(PlatformRecord::End(End { request_id: self.report.request_id.clone() }));
        log.platform(PlatformRecord::Report(Report { spans, ..self.report.clone() }));
        log.end()
    }
}

/// Tells what the runtime did, and makes the outcome, without its log.
pub(super) fn conclude(
    spec: &FunctionSpec,
    log: &EnvironmentLog,
    request_id: &str,
    conclusion: Conclusion,
) -> (InvokeOutcome, Close) {
    let Conclusion { result, initialised, trace_id, at, duration, init_duration, .. } = conclusion;
    let (payload, function_error) = match &result {
        Ok(payload) => (payload.clone(), None),
        Err(failure) => {
            let error_type = failure.error_type();
            if let Some(text) = failure.log_line(request_id, at.1, spec.timeout) {
                log.platform(PlatformRecord::Fault(Fault { text }));
            }
            let payload = failure.payload(request_id, spec.timeout);
            (payload, Some(FunctionError { kind: "Unhandled", error_type }))
        }
    };
    let status = result.as_ref().err().map_or(Status::Success, Failure::status);
    if initialised {
        log.platform(PlatformRecord::RuntimeDone(RuntimeDone {
            request_id: request_id.to_owned(),
            status: status.clone(),
            duration,
            produced_bytes: result.as_ref().ok().map(|payload| payload.len() as u64),
            trace_id: trace_id.clone(),
            spans: vec![Span { name: "responseLatency", start: at.0, duration }],
        }));
    }
    let status = match &result {
        // The environment is well.
        Err(failure) if initialised && failure.shutdown_reason().is_none() => Status::Success,
        _ => status,
    };
    let billed_ms = billed_ms(duration + init_duration.unwrap_or_default());
    let report = Report {
        request_id: request_id.to_owned(),
        status,
        duration,
        init_duration: init_duration.filter(|_| initialised),
        billed_ms,
        memory_mb: spec.memory_mb,
        memory_max_bytes: conclusion.memory_max_bytes,
        trace_id,
        spans: Vec::new(),
    };
    let outcome = InvokeOutcome {
        payload,
        function_error,
        log: String::new(),
        cold: conclusion.reason,
        init_duration,
        duration,
        billed_ms,
        memory_max_bytes: conclusion.memory_max_bytes,
        notes: conclusion.notes,
        unfinished: None,
    };
    (outcome, Close { report, init_duration: init_duration.unwrap_or_default() })
}

pub(super) fn start_record(
    request_id: &str,
    spec: &FunctionSpec,
    trace_id: Option<String>,
) -> PlatformRecord {
    let (request_id, version) = (request_id.to_owned(), spec.version.clone());
    PlatformRecord::Start(Start { request_id, version, trace_id })
}

/// Every begun millisecond is billed.
fn billed_ms(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}
