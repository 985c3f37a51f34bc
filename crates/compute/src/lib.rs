//! Sandboxes, the Runtime API and the pool of execution environments.
//!
//! [`Compute::invoke`] runs a function once: the pool's rules choose or start an environment, a
//! [`driver`] gives it a sandbox, its runtime takes the event over the Runtime API. This crate knows
//! nothing of Lambda's resources: what it runs arrives as a [`FunctionSpec`].

mod certificates;
mod compute;
mod config;
#[cfg(target_os = "linux")]
mod dns;
pub mod driver;
mod egress;
pub mod exchange;
mod extension_programs;
mod host_root;
mod inside;
mod invoke;
mod log_format;
mod output;
#[cfg(target_os = "linux")]
mod peers;
pub mod platform_event;
pub mod pool;
#[cfg(target_os = "linux")]
mod probe;
mod programs;
mod provision;
pub mod response_stream;
mod runtimes;
mod sdk;
mod spec;
mod standing;
mod telemetry;
mod variables;

pub use compute::Compute;
pub use config::{ComputeConfig, ENDPOINT_NAMES, SdkConfig};
#[cfg(target_os = "linux")]
pub use driver::namespaces::{SPAWNER_ARGUMENT, spawner_main, sweep};
pub use driver::{Level, StartError};
pub use egress::rules::{
    EgressRules, RULES_MAX as EGRESS_RULES_MAX, Rule as EgressRule, RuleError as EgressRuleError,
};
pub use invoke::{FunctionError, InvokeError, InvokeOutcome, InvokeRequest, REQUEST_BYTES_MAX, Unfinished};
pub use log_format::{LogFormat, LogLevel};
pub use output::{EnvironmentLog, LineSink, OutputSink};
#[cfg(target_os = "linux")]
pub use peers::Guests;
pub use pool::pace::Pace;
pub use pool::rules::{ColdReason, Condition, PoolLimits, Share, Throttled};
#[cfg(target_os = "linux")]
pub use probe::{Capabilities, Fact, Lack, can_leave, probe};
pub use provision::{Provisioned, Shortfall};
pub use runtimes::InterpreterSearch;
pub use spec::{Credentials, Egress, EnvironmentPorts, FunctionKey, FunctionSpec, InsideListeners};
pub use standing::{Standing, Started};
