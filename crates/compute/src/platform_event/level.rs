//! How urgent what the platform says is, as AWS maps its events to system log levels. A runtime has no version here,
//! so that its start is what AWS's is without one.

use super::{InitializationType, PlatformRecord, Status};
use crate::log_format::LogLevel;

impl PlatformRecord {
    /// From which level on a log in JSON tells it: `DEBUG`, `INFO` or `WARN`.
    pub fn level(&self) -> LogLevel {
        let failed_or = |status: &Status, well: LogLevel| match status {
            Status::Success => well,
            Status::Error(_) | Status::Failure(_) | Status::Timeout => LogLevel::Warn,
        };
        match self {
            Self::InitStart(_) | Self::End(_) => LogLevel::Debug,
            Self::InitRuntimeDone(done) => failed_or(&done.status, LogLevel::Debug),
            Self::InitReport(report) => {
                let ahead = report.initialization_type != InitializationType::OnDemand;
                failed_or(&report.status, if ahead { LogLevel::Info } else { LogLevel::Debug })
            }
            Self::RuntimeDone(done) => failed_or(&done.status, LogLevel::Debug),
            Self::Report(report) => failed_or(&report.status, LogLevel::Info),
            Self::Extension(extension) if extension.error_type.is_some() => LogLevel::Warn,
            Self::Start(_)
            | Self::Extension(_)
            | Self::TelemetrySubscription(_)
            | Self::LogsSubscription(_) => LogLevel::Info,
            Self::Fault(_) | Self::LogsDropped(_) => LogLevel::Warn,
        }
    }
}
