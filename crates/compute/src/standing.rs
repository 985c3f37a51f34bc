//! The environments that stand, for people who look.

use apus_time::Timestamp;

use crate::pool::rules::{ColdReason, Condition, EnvironmentId};
use crate::spec::FunctionKey;

/// An environment, as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number, which no other environment of this run of the platform has.
    pub id: EnvironmentId,
    /// The version that it serves.
    pub key: FunctionKey,
    /// What it does.
    pub condition: Condition,
    /// What is known once it has initialised.
    pub started: Option<Started>,
}

/// An environment that has initialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Since when it can serve.
    pub since: Timestamp,
    /// Why it was started, if not ahead of invocations.
    pub reason: Option<ColdReason>,
    /// What its initialisation took.
    pub init_duration: std::time::Duration,
    /// The memory that it may use, in MB.
    pub memory_mb: u32,
    /// The most memory that it has used, in bytes, where the host measures it.
    pub memory_peak_bytes: Option<u64>,
    /// Invocations that it has begun.
    pub invocations: u64,
}
