//! What the wiring provides to functions' environments.

use apus_compute::InsideListeners;

/// Serves the platform's endpoint inside a sandbox.
pub trait EndpointServer: Send + Sync + 'static {
    /// Serves on these listeners, which are inside a new environment, requests that are signed with that access
    /// key of a role's session, and no others, until the environment has ended.
    fn serve(&self, inside: InsideListeners, access_key: &str);
}

/// Takes what functions log.
pub trait LogSink: Send + Sync + 'static {
    /// One line without its end. `request_id` is the invocation's, where one was under way.
    fn line(&self, group: &str, stream: &str, request_id: Option<&str>, line: &str);
}
