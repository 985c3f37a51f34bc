//! Where a function's log goes, how it is written and what of it is kept: `LoggingConfig` and its rules.

use apus_compute::{LogFormat, LogLevel};
use apus_model_lambda::{ApplicationLogLevel, LogFormat as LogFormatName, LoggingConfig, SystemLogLevel};
use apus_schema::ServiceError;

use crate::errors;
use crate::store::FunctionRecord;
use crate::store::function::JsonLog;

/// The group that a function of that name has unless it asks for another.
pub(crate) fn default_group(name: &str) -> String {
    format!("/aws/lambda/{name}")
}

/// A function's log, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    pub(crate) group: String,
    /// Absent for text.
    pub(crate) json: Option<JsonLog>,
}

impl Logging {
    /// The log that a new function of that name asks for.
    pub(crate) fn of(config: Option<&LoggingConfig>, name: &str) -> Result<Self, ServiceError> {
        let config = config.cloned().unwrap_or_default();
        let (application, system) = (config.application_log_level, config.system_log_level);
        let json = match config.log_format {
            None | Some(LogFormatName::Text) if application.is_some() || system.is_some() => {
                return Err(errors::log_level_without_json());
            }
            None | Some(LogFormatName::Text) => None,
            Some(LogFormatName::Json) => Some(JsonLog {
                application: application.unwrap_or(ApplicationLogLevel::Info).as_str().to_owned(),
                system: system.unwrap_or(SystemLogLevel::Info).as_str().to_owned(),
            }),
            Some(LogFormatName::Unknown(other)) => {
                return Err(errors::not_supported(&format!("LoggingConfig.LogFormat {other}")));
            }
        };
        Ok(Self { group: config.log_group.unwrap_or_else(|| default_group(name)), json })
    }
}

/// What a function's log would be asked for with, for it to be what it is but for what a change names. A change that
/// names the format begins with that format's levels.
pub(crate) fn as_asked(change: Option<LoggingConfig>, before: &FunctionRecord) -> LoggingConfig {
    let before = described(before);
    let Some(change) = change else { return before };
    let levels = match &change.log_format {
        Some(_) => (change.application_log_level, change.system_log_level),
        None => (
            change.application_log_level.or(before.application_log_level),
            change.system_log_level.or(before.system_log_level),
        ),
    };
    LoggingConfig {
        log_format: change.log_format.or(before.log_format),
        application_log_level: levels.0,
        system_log_level: levels.1,
        log_group: change.log_group.or(before.log_group),
    }
}

/// A function's log as answers show it.
pub(crate) fn described(record: &FunctionRecord) -> LoggingConfig {
    let json = record.json_log.as_ref();
    LoggingConfig {
        log_format: Some(if json.is_some() { LogFormatName::Json } else { LogFormatName::Text }),
        application_log_level: json.map(|json| ApplicationLogLevel::from(json.application.as_str())),
        system_log_level: json.map(|json| SystemLogLevel::from(json.system.as_str())),
        log_group: Some(record.log_group.clone()),
    }
}

/// The same as its environments are told. Levels that only a newer release knows are `INFO`.
pub(crate) fn format(record: &FunctionRecord) -> LogFormat {
    let level = |name: &str| LogLevel::named(name).unwrap_or(LogLevel::Info);
    record.json_log.as_ref().map_or(LogFormat::Text, |json| LogFormat::Json {
        application: level(&json.application),
        system: level(&json.system),
    })
}
