//! What the wiring provides to functions' environments.

use std::net::TcpListener;

/// Serves the platform's endpoint inside a sandbox.
pub trait EndpointServer: Send + Sync + 'static {
    /// Serves on this listener, which is inside a new environment, requests that are signed with that access
    /// key of a role's session, and no others. The socket does not block; it ends with the sandbox.
    fn serve(&self, listener: TcpListener, access_key: &str);
}

/// Takes what functions log.
pub trait LogSink: Send + Sync + 'static {
    /// One line without its end. `request_id` is the invocation's, where one was under way.
    fn line(&self, group: &str, stream: &str, request_id: Option<&str>, line: &str);
}
