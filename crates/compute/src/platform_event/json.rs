//! What the platform says, as AWS's JSON: `{"time", "type", "record"}`. What a version of it does not know is left out.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    InitPhase, InitializationType, LogsDropped, PlatformEvent, PlatformRecord, Report, RuntimeDone, Span,
    Status, Subscription,
};

const MIB: u64 = 1024 * 1024;

/// What a trace that is kept has in its header.
const SAMPLED: &str = "Sampled=1";

/// The versions of the JSON, of the Logs API and the Telemetry API, which is the younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schema {
    /// The Logs API's first.
    Logs20200815,
    /// The Logs API's last, which tells when a runtime is done.
    Logs20210318,
    /// The Telemetry API's first.
    Telemetry20220701,
    /// The Telemetry API's second, which tells of which function; that of logs in JSON.
    Telemetry20221213,
    /// The Telemetry API's last.
    Telemetry20250129,
}

impl Schema {
    /// By the version's name in a subscription to the Telemetry API.
    pub fn of_telemetry(name: &str) -> Option<Self> {
        Some(match name {
            "2022-07-01" => Self::Telemetry20220701,
            "2022-12-13" => Self::Telemetry20221213,
            "2025-01-29" => Self::Telemetry20250129,
            _ => return None,
        })
    }

    /// By the version's name in a subscription to the Logs API.
    pub fn of_logs(name: &str) -> Option<Self> {
        Some(match name {
            "2020-08-15" => Self::Logs20200815,
            "2021-03-18" => Self::Logs20210318,
            _ => return None,
        })
    }

    fn is_logs(self) -> bool {
        self <= Self::Logs20210318
    }
}

impl PlatformEvent {
    /// The whole event; nothing if this version does not know it.
    pub fn json(&self, schema: Schema) -> Option<Value> {
        let record = record(&self.record, schema)?;
        Some(json!({
            "time": self.time.to_iso8601_millis(),
            "type": self.record.type_name(),
            "record": record,
        }))
    }
}

impl PlatformRecord {
    /// AWS's name of it, such as `platform.start`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::InitStart(_) => "platform.initStart",
            Self::InitRuntimeDone(_) => "platform.initRuntimeDone",
            Self::InitReport(_) => "platform.initReport",
            Self::Start(_) => "platform.start",
            Self::RuntimeDone(_) => "platform.runtimeDone",
            Self::End(_) => "platform.end",
            Self::Report(_) => "platform.report",
            Self::Fault(_) => "platform.fault",
            Self::Extension(_) => "platform.extension",
            Self::TelemetrySubscription(_) => "platform.telemetrySubscription",
            Self::LogsSubscription(_) => "platform.logsSubscription",
            Self::LogsDropped(_) => "platform.logsDropped",
        }
    }
}

fn record(record: &PlatformRecord, schema: Schema) -> Option<Value> {
    let is_logs = schema.is_logs();
    let mut fields = Fields::default();
    match record {
        PlatformRecord::InitStart(start) if !is_logs => {
            fields.init(start.initialization_type, start.phase);
            if schema >= Schema::Telemetry20221213 {
                fields.put("functionName", &*start.function_name);
                fields.put("functionVersion", &*start.function_version);
                fields.put("instanceId", &*start.instance_id);
                fields.put("instanceMaxMemory", u64::from(start.instance_memory_mb) * MIB);
            }
        }
        PlatformRecord::InitRuntimeDone(done) if !is_logs => {
            fields.init(done.initialization_type, done.phase);
            fields.status(&done.status);
        }
        PlatformRecord::InitReport(report) if !is_logs => {
            fields.init(report.initialization_type, report.phase);
            fields.status(&report.status);
            fields.put("metrics", json!({ "durationMs": milliseconds(report.duration) }));
        }
        PlatformRecord::Start(start) => {
            fields.put("requestId", &*start.request_id);
            fields.put("version", &*start.version);
            fields.tracing(start.trace_id.as_deref().filter(|_| !is_logs));
        }
        PlatformRecord::RuntimeDone(done) if schema != Schema::Logs20200815 => {
            fields.runtime_done(done, is_logs);
        }
        PlatformRecord::End(end) if is_logs => fields.put("requestId", &*end.request_id),
        PlatformRecord::Report(report) => fields.report(report, is_logs),
        PlatformRecord::Fault(fault) if is_logs => return Some(fault.text.as_str().into()),
        PlatformRecord::Extension(extension) => {
            fields.put("name", &*extension.name);
            fields.put("state", extension.state);
            fields.put("events", extension.events.clone());
            if let Some(error_type) = &extension.error_type {
                fields.put("errorType", &**error_type);
            }
        }
        PlatformRecord::TelemetrySubscription(told) if !is_logs => fields.subscription(told),
        PlatformRecord::LogsSubscription(told) if is_logs => fields.subscription(told),
        PlatformRecord::LogsDropped(LogsDropped { reason, records, bytes }) => {
            fields.put("reason", &**reason);
            fields.put("droppedRecords", *records);
            fields.put("droppedBytes", *bytes);
        }
        PlatformRecord::InitStart(_)
        | PlatformRecord::InitRuntimeDone(_)
        | PlatformRecord::InitReport(_)
        | PlatformRecord::RuntimeDone(_)
        | PlatformRecord::End(_)
        | PlatformRecord::Fault(_)
        | PlatformRecord::TelemetrySubscription(_)
        | PlatformRecord::LogsSubscription(_) => return None,
    }
    Some(Value::Object(fields.0))
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn init(&mut self, initialization_type: InitializationType, phase: InitPhase) {
        let initialization_type = match initialization_type {
            InitializationType::OnDemand => "on-demand",
            InitializationType::ProvisionedConcurrency => "provisioned-concurrency",
        };
        let phase = match phase {
            InitPhase::Init => "init",
            InitPhase::Invoke => "invoke",
        };
        self.put("initializationType", initialization_type);
        self.put("phase", phase);
    }

    fn status(&mut self, status: &Status) {
        let name = match status {
            Status::Success => "success",
            Status::Error(_) => "error",
            Status::Failure(_) => "failure",
            Status::Timeout => "timeout",
        };
        self.put("status", name);
        if let Some(error_type) = status.error_type() {
            self.put("errorType", error_type);
        }
    }

    /// Of what is not sampled nobody keeps a trace, and none is told.
    fn tracing(&mut self, trace_id: Option<&str>) {
        let is_sampled = |trace: &&str| trace.split(';').any(|part| part == SAMPLED);
        if let Some(value) = trace_id.filter(is_sampled) {
            self.put("tracing", json!({ "type": "X-Amzn-Trace-Id", "value": value }));
        }
    }

    fn spans(&mut self, spans: &[Span]) {
        let span = |span: &Span| {
            json!({
                "name": span.name,
                "start": span.start.to_iso8601_millis(),
                "durationMs": milliseconds(span.duration),
            })
        };
        if !spans.is_empty() {
            self.put("spans", spans.iter().map(span).collect::<Vec<_>>());
        }
    }

    fn runtime_done(&mut self, done: &RuntimeDone, is_logs: bool) {
        self.put("requestId", &*done.request_id);
        if is_logs {
            // It knows three words only.
            let status = match done.status {
                Status::Success => "success",
                Status::Error(_) | Status::Failure(_) => "failure",
                Status::Timeout => "timeout",
            };
            return self.put("status", status);
        }
        self.status(&done.status);
        let mut metrics = json!({ "durationMs": milliseconds(done.duration) });
        if let Some(bytes) = done.produced_bytes {
            metrics["producedBytes"] = bytes.into();
        }
        self.put("metrics", metrics);
        self.tracing(done.trace_id.as_deref());
        self.spans(&done.spans);
    }

    fn report(&mut self, report: &Report, is_logs: bool) {
        self.put("requestId", &*report.request_id);
        let mut metrics = json!({
            "durationMs": milliseconds(report.duration),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": report.memory_mb,
            "maxMemoryUsedMB": report.memory_max_bytes.div_ceil(MIB),
        });
        if let Some(duration) = report.init_duration {
            metrics["initDurationMs"] = milliseconds(duration).into();
        }
        self.put("metrics", metrics);
        if !is_logs {
            self.status(&report.status);
            self.tracing(report.trace_id.as_deref());
            self.spans(&report.spans);
        }
    }

    fn subscription(&mut self, told: &Subscription) {
        self.put("name", &*told.name);
        self.put("state", "Subscribed");
        self.put("types", told.types.clone());
    }
}

/// With three digits after the point, as AWS has them.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
