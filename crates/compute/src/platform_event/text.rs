//! What the platform says, as lines of a log in AWS's words.

use std::time::Duration;

use super::{Extension, InitPhase, InitReport, PlatformEvent, PlatformRecord, Report, Status, Subscription};

const MIB: u64 = 1024 * 1024;

impl PlatformEvent {
    /// The lines of a log in text, without the end of the last; nothing if such a log does not tell it.
    pub fn text(&self) -> Option<String> {
        match &self.record {
            PlatformRecord::InitReport(report) if report.status != Status::Success => {
                Some(init_report(report))
            }
            PlatformRecord::Start(start) => {
                Some(format!("START RequestId: {} Version: {}", start.request_id, start.version))
            }
            PlatformRecord::End(end) => Some(format!("END RequestId: {}", end.request_id)),
            PlatformRecord::Report(figures) => Some(report(figures)),
            PlatformRecord::Fault(fault) => Some(fault.text.clone()),
            PlatformRecord::Extension(told) => Some(extension(told)),
            PlatformRecord::TelemetrySubscription(told) => Some(subscription("TELEMETRY", told)),
            PlatformRecord::LogsSubscription(told) => Some(subscription("LOGS", told)),
            PlatformRecord::InitStart(_)
            | PlatformRecord::InitRuntimeDone(_)
            | PlatformRecord::InitReport(_)
            | PlatformRecord::RuntimeDone(_)
            | PlatformRecord::LogsDropped(_) => None,
        }
    }
}

fn report(report: &Report) -> String {
    let init = report
        .init_duration
        .map_or_else(String::new, |init| format!("Init Duration: {} ms\t", milliseconds(init)));
    format!(
        "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t{init}{}",
        report.request_id,
        milliseconds(report.duration),
        report.billed_ms,
        report.memory_mb,
        report.memory_max_bytes.div_ceil(MIB),
        status(&report.status),
    )
}

fn init_report(report: &InitReport) -> String {
    let phase = match report.phase {
        InitPhase::Init => "init",
        InitPhase::Invoke => "invoke",
    };
    let (duration, status) = (milliseconds(report.duration), status(&report.status));
    format!("INIT_REPORT Init Duration: {duration} ms\tPhase: {phase}\t{status}")
}

fn extension(told: &Extension) -> String {
    let failed = told.error_type.as_ref().map_or_else(String::new, |kind| format!("\tError Type: {kind}"));
    format!(
        "EXTENSION\tName: {}\tState: {}\tEvents: [{}]{failed}",
        told.name,
        told.state,
        told.events.join(", ")
    )
}

fn subscription(api: &str, told: &Subscription) -> String {
    format!("{api}\tName: {}\tState: Subscribed\tTypes: [{}]", told.name, told.types.join(", "))
}

fn status(status: &Status) -> String {
    match status {
        Status::Success => String::new(),
        Status::Timeout => "Status: timeout".into(),
        Status::Error(error_type) | Status::Failure(error_type) => {
            format!("Status: error\tError Type: {error_type}")
        }
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}
