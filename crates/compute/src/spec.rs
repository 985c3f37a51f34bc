//! What the pool is told of a function. Knows no resource model: who configures functions translates.

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::log_format::LogFormat;
use crate::output::LineSink;
use crate::pool::rules::Share;

/// The identity of a function's code and configuration. Environments are never shared across two keys, so
/// that it must change with every published version and every update.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionKey {
    /// The function's ARN with its version.
    pub arn: String,
    /// The revision of code and configuration.
    pub revision: String,
}

/// A function, as far as running it goes.
#[derive(Clone)]
pub struct FunctionSpec {
    /// Its identity.
    pub key: FunctionKey,
    /// Its name.
    pub name: String,
    /// Its version, such as `$LATEST`.
    pub version: String,
    /// Its ARN without qualifier.
    pub arn: String,
    /// The region that it believes to be in.
    pub region: String,
    /// The name of its handler, whose meaning is the runtime's.
    pub handler: String,
    /// The name of its runtime, such as `python3.12`.
    pub runtime: String,
    /// `MemorySize`, in MB (of 1,048,576 bytes).
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How many invocations of it, all versions together, may be under way at once; more are turned away.
    pub concurrency_max: Option<u32>,
    /// What it shares with others instead.
    pub share: Option<Share>,
    /// The size of `/tmp`, in MB.
    pub tmp_mb: u32,
    /// The function's own variables.
    pub variables: Vec<(String, String)>,
    /// Its unpacked code on the host.
    pub code_dir: PathBuf,
    /// Its unpacked layers on the host, lowest first.
    pub layer_dirs: Vec<PathBuf>,
    /// Whether it may reach anything but the platform.
    pub egress: Egress,
    /// Where its log goes, as the function is told.
    pub log_group: String,
    /// How its log is written, and what of it is kept.
    pub log_format: LogFormat,
    /// What connects its environments to the platform.
    pub ports: Arc<dyn EnvironmentPorts>,
}

/// Where a function's environments may connect to, beside the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Egress {
    /// Nowhere.
    Off,
    /// Where [`crate::ComputeConfig::egress`] lets all functions.
    #[default]
    AsConfigured,
}

/// What the platform provides to the environments of a function.
pub trait EnvironmentPorts: Send + Sync {
    /// Fresh credentials of the function's role, for a new environment.
    fn credentials(&self) -> Option<Credentials>;

    /// The name of a new environment's log stream.
    fn log_stream(&self) -> String;

    /// Where a new environment's log lines go.
    fn log(&self, log_stream: &str) -> Arc<dyn LineSink>;

    /// Serves the platform's endpoint on these listeners, which are inside a new environment: who connects to
    /// them has the function's role and nothing else.
    fn serve_endpoint(&self, inside: InsideListeners);
}

/// Where processes in a sandbox reach the platform. The sockets do not block.
#[derive(Debug)]
pub struct InsideListeners {
    /// At [`crate::ComputeConfig::endpoint_port`].
    pub endpoint: TcpListener,
    /// At the port of HTTPS, for clients that go by a name of AWS's.
    pub secure: TcpListener,
    /// Turns true, or loses its sender, when the sandbox has ended: nobody can connect any more, and the
    /// listeners hold what is left of its network.
    pub ended: watch::Receiver<bool>,
}

/// Credentials of a role's session.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}
