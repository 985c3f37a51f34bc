//! What the platform says about the life of an environment, as typed records. Who reads it chooses the form: lines of a
//! log ([`text`]) or AWS's JSON ([`json`]), which the Telemetry and Logs APIs and logs in JSON share.

mod json;
mod level;
mod text;

use std::time::Duration;

use apus_time::Timestamp;

pub use json::Schema;

/// A record, and when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlatformEvent {
    /// When.
    pub time: Timestamp,
    /// What.
    pub record: PlatformRecord,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum PlatformRecord {
    /// A runtime and its extensions are being started.
    InitStart(InitStart),
    /// The runtime has initialised, or will not.
    InitRuntimeDone(InitRuntimeDone),
    /// The start is over.
    InitReport(InitReport),
    /// An invocation begins.
    Start(Start),
    /// The runtime has done its part of an invocation.
    RuntimeDone(RuntimeDone),
    /// An invocation is over. Only the Logs API and logs in text tell it apart from its report.
    End(End),
    /// What an invocation took.
    Report(Report),
    /// Something failed that the function itself does not tell. Only the Logs API and logs in text have it.
    Fault(Fault),
    /// How it stands with an extension.
    Extension(Extension),
    /// An extension subscribed to the Telemetry API.
    TelemetrySubscription(Subscription),
    /// An extension subscribed to the Logs API.
    LogsSubscription(Subscription),
    /// A subscriber was too slow. Only that subscriber is told.
    LogsDropped(LogsDropped),
}

/// Why an environment is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitializationType {
    /// For an invocation.
    OnDemand,
    /// Ahead of invocations.
    ProvisionedConcurrency,
}

/// When a runtime is initialised: before its first invocation, and once more within that if it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitPhase {
    /// Before.
    Init,
    /// Within.
    Invoke,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Success,
    /// The function or its runtime reported this error.
    Error(String),
    /// The environment failed so.
    Failure(String),
    /// It took too long.
    Timeout,
}

/// See [`PlatformRecord::InitStart`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitStart {
    /// Why.
    pub initialization_type: InitializationType,
    /// When.
    pub phase: InitPhase,
    /// The function's name.
    pub function_name: String,
    /// Its version.
    pub function_version: String,
    /// A name of the environment.
    pub instance_id: String,
    /// `MemorySize`, in MB.
    pub instance_memory_mb: u32,
}

/// See [`PlatformRecord::InitRuntimeDone`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitRuntimeDone {
    /// Why it was started.
    pub initialization_type: InitializationType,
    /// When.
    pub phase: InitPhase,
    /// How it ended.
    pub status: Status,
}

/// See [`PlatformRecord::InitReport`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitReport {
    /// Why it was started.
    pub initialization_type: InitializationType,
    /// When.
    pub phase: InitPhase,
    /// How it ended.
    pub status: Status,
    /// How long it took, extensions included.
    pub duration: Duration,
}

/// See [`PlatformRecord::Start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The invocation.
    pub request_id: String,
    /// The function's version.
    pub version: String,
    /// The trace that it belongs to, as in `X-Amzn-Trace-Id`; AWS's JSON tells it if it is sampled.
    pub trace_id: Option<String>,
}

/// See [`PlatformRecord::RuntimeDone`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeDone {
    /// The invocation.
    pub request_id: String,
    /// How it ended.
    pub status: Status,
    /// How long it took the runtime.
    pub duration: Duration,
    /// The length of the response, if there is one.
    pub produced_bytes: Option<u64>,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// What it spent its time with.
    pub spans: Vec<Span>,
}

/// A part of the time that something took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it was spent with, by AWS's name.
    pub name: &'static str,
    /// When it began.
    pub start: Timestamp,
    /// How long it was.
    pub duration: Duration,
}

/// See [`PlatformRecord::End`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The invocation.
    pub request_id: String,
}

/// See [`PlatformRecord::Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The invocation.
    pub request_id: String,
    /// How it ended.
    pub status: Status,
    /// How long it took, extensions included.
    pub duration: Duration,
    /// How long the start took, if the environment was started for it.
    pub init_duration: Option<Duration>,
    /// What is billed, in milliseconds.
    pub billed_ms: u64,
    /// `MemorySize`, in MB.
    pub memory_mb: u32,
    /// The most memory that the environment has used so far.
    pub memory_max_bytes: u64,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// What the time was spent with beside the runtime.
    pub spans: Vec<Span>,
}

/// See [`PlatformRecord::Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The lines of a log that tell it.
    pub text: String,
}

/// See [`PlatformRecord::Extension`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// AWS's word for how it stands, such as `Ready`.
    pub state: &'static str,
    /// The events that it wants, such as `INVOKE`.
    pub events: Vec<&'static str>,
    /// How it failed, if so.
    pub error_type: Option<String>,
}

/// Who reads what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The extension's name.
    pub name: String,
    /// The streams that it reads, such as `platform`.
    pub types: Vec<&'static str>,
}

/// See [`PlatformRecord::LogsDropped`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsDropped {
    /// Why.
    pub reason: String,
    /// How many records are lost.
    pub records: u64,
    /// How many bytes these had.
    pub bytes: u64,
}

impl Status {
    /// AWS's name of the error.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Success | Self::Timeout => None,
            Self::Error(error_type) | Self::Failure(error_type) => Some(error_type),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The lines of a log, then the record of each schema, the oldest first.
    fn check(record: PlatformRecord, text: Option<&str>, expected: [Option<Value>; 5]) {
        let event = PlatformEvent { time: Timestamp::from_millis(1_500), record };
        assert_eq!(event.text().as_deref(), text);
        let schemas = [
            Schema::Logs20200815,
            Schema::Logs20210318,
            Schema::Telemetry20220701,
            Schema::Telemetry20221213,
            Schema::Telemetry20250129,
        ];
        for (schema, record) in schemas.into_iter().zip(expected) {
            let whole = record.map(|record| {
                json!({ "time": "1970-01-01T00:00:01.500Z", "type": event.record.type_name(), "record": record })
            });
            assert_eq!(event.json(schema), whole, "{schema:?}");
        }
    }

    /// The same for both APIs.
    fn each(logs: Option<Value>, telemetry: Option<Value>) -> [Option<Value>; 5] {
        [logs.clone(), logs, telemetry.clone(), telemetry.clone(), telemetry]
    }

    #[test]
    fn starts_are_told_by_the_telemetry_api_and_failed_ones_by_the_log() {
        let (initialization_type, phase) = (InitializationType::ProvisionedConcurrency, InitPhase::Invoke);
        let short = json!({ "initializationType": "provisioned-concurrency", "phase": "invoke" });
        let long = json!({
            "initializationType": "provisioned-concurrency",
            "phase": "invoke",
            "functionName": "f",
            "functionVersion": "7",
            "instanceId": "abc",
            "instanceMaxMemory": 134_217_728,
        });
        let start = InitStart {
            initialization_type,
            phase,
            function_name: "f".into(),
            function_version: "7".into(),
            instance_id: "abc".into(),
            instance_memory_mb: 128,
        };
        let expected = [None, None, Some(short), Some(long.clone()), Some(long)];
        check(PlatformRecord::InitStart(start), None, expected);

        let status = Status::Failure("Runtime.ExitError".into());
        let done = json!({
            "initializationType": "provisioned-concurrency",
            "phase": "invoke",
            "status": "failure",
            "errorType": "Runtime.ExitError",
        });
        let mut reported = done.clone();
        reported["metrics"] = json!({ "durationMs": 2.5 });
        let record = InitRuntimeDone { initialization_type, phase, status: status.clone() };
        check(PlatformRecord::InitRuntimeDone(record), None, each(None, Some(done)));
        let report =
            InitReport { initialization_type, phase, status, duration: Duration::from_micros(2_500) };
        check(
            PlatformRecord::InitReport(report.clone()),
            Some(
                "INIT_REPORT Init Duration: 2.50 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError",
            ),
            each(None, Some(reported.clone())),
        );
        reported["status"] = "success".into();
        reported.as_object_mut().expect("an object").remove("errorType");
        let well = InitReport { status: Status::Success, ..report };
        check(PlatformRecord::InitReport(well), None, each(None, Some(reported)));
    }

    #[test]
    fn invocations_are_told_by_all_but_for_what_the_older_did_not_know() {
        let trace = "Root=1-2-3;Sampled=1";
        let tracing = json!({ "type": "X-Amzn-Trace-Id", "value": trace });
        let start =
            Start { request_id: "r".into(), version: "$LATEST".into(), trace_id: Some(trace.to_owned()) };
        let mut told = json!({ "requestId": "r", "version": "$LATEST" });
        let plain = told.clone();
        told["tracing"] = tracing.clone();
        let line = "START RequestId: r Version: $LATEST";
        check(PlatformRecord::Start(start.clone()), Some(line), each(Some(plain.clone()), Some(told)));
        let unsampled = Start { trace_id: Some("Root=1-2-3;Sampled=0".into()), ..start };
        check(PlatformRecord::Start(unsampled), Some(line), each(Some(plain.clone()), Some(plain)));

        let done = RuntimeDone {
            request_id: "r".into(),
            status: Status::Error("ValueError".into()),
            duration: Duration::from_millis(3),
            produced_bytes: Some(9),
            trace_id: None,
            spans: vec![Span {
                name: "responseLatency",
                start: Timestamp::from_millis(0),
                duration: Duration::from_millis(2),
            }],
        };
        let span =
            json!({ "name": "responseLatency", "start": "1970-01-01T00:00:00.000Z", "durationMs": 2.0 });
        let told = Some(json!({
            "requestId": "r",
            "status": "error",
            "errorType": "ValueError",
            "metrics": { "durationMs": 3.0, "producedBytes": 9 },
            "spans": [span],
        }));
        let logs = Some(json!({ "requestId": "r", "status": "failure" }));
        let expected = [None, logs, told.clone(), told.clone(), told];
        check(PlatformRecord::RuntimeDone(done), None, expected);

        let end = End { request_id: "r".into() };
        let told = json!({ "requestId": "r" });
        check(PlatformRecord::End(end), Some("END RequestId: r"), each(Some(told), None));

        let report = Report {
            request_id: "r".into(),
            status: Status::Timeout,
            duration: Duration::from_micros(3_001),
            init_duration: Some(Duration::from_millis(1)),
            billed_ms: 5,
            memory_mb: 128,
            memory_max_bytes: 1,
            trace_id: Some(trace.to_owned()),
            spans: Vec::new(),
        };
        let metrics = json!({
            "durationMs": 3.001,
            "billedDurationMs": 5,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 1,
            "initDurationMs": 1.0,
        });
        let logs = json!({ "requestId": "r", "metrics": metrics });
        let mut told = logs.clone();
        told["status"] = "timeout".into();
        told["tracing"] = tracing;
        check(
            PlatformRecord::Report(report),
            Some(
                "REPORT RequestId: r\tDuration: 3.00 ms\tBilled Duration: 5 ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 1 MB\tInit Duration: 1.00 ms\tStatus: timeout",
            ),
            each(Some(logs), Some(told)),
        );
        let fault = Fault { text: "RequestId: r Error: it broke".into() };
        check(
            PlatformRecord::Fault(fault.clone()),
            Some(&fault.text),
            each(Some(fault.text.as_str().into()), None),
        );
    }

    #[test]
    fn extensions_and_what_they_read_are_told() {
        let extension = Extension {
            name: "x".into(),
            state: "Ready",
            events: vec!["INVOKE", "SHUTDOWN"],
            error_type: None,
        };
        let told = Some(json!({ "name": "x", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"] }));
        let line = "EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]";
        check(PlatformRecord::Extension(extension), Some(line), each(told.clone(), told));

        let subscription = Subscription { name: "x".into(), types: vec!["platform", "function"] };
        let told = Some(json!({ "name": "x", "state": "Subscribed", "types": ["platform", "function"] }));
        let line = |api| format!("{api}\tName: x\tState: Subscribed\tTypes: [platform, function]");
        let record = PlatformRecord::TelemetrySubscription(subscription.clone());
        check(record, Some(&line("TELEMETRY")), each(None, told.clone()));
        check(PlatformRecord::LogsSubscription(subscription), Some(&line("LOGS")), each(told, None));

        let dropped = LogsDropped { reason: "slow".into(), records: 2, bytes: 30 };
        let told = Some(json!({ "reason": "slow", "droppedRecords": 2, "droppedBytes": 30 }));
        check(PlatformRecord::LogsDropped(dropped), None, each(told.clone(), told));
    }
}
