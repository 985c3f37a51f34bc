//! What the wiring provides to functions' environments.

use std::sync::Arc;

use apus_compute::{Credentials, InsideListeners, LineSink};
use apus_kernel::{AccountId, Region};

/// Serves the platform's endpoint inside a sandbox.
pub trait EndpointServer: Send + Sync + 'static {
    /// Serves on these listeners, which are inside a new environment, requests that are signed with that access
    /// key of a role's session, and no others, until the environment has ended.
    fn serve(&self, inside: InsideListeners, access_key: &str);
}

/// Takes what functions log.
pub trait LogSink: Send + Sync + 'static {
    /// Where the lines of a new environment go. A line must cost the function no wait: the sink only takes it.
    fn open(&self, source: LogSource) -> Arc<dyn LineSink>;
}

/// An environment whose lines are to be kept.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// Whose function.
    pub account: AccountId,
    /// Where the function is.
    pub region: Region,
    /// The group that its configuration names.
    pub group: String,
    /// The environment's own stream.
    pub stream: String,
    /// The session of the function's role: lines are written with its permissions.
    pub credentials: Credentials,
}
