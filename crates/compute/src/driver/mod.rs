//! The seam between the pool and what executes functions: a driver starts sandboxes, a sandbox can be
//! killed, waited for and measured. A driver knows nothing of functions, invocations or credentials;
//! what it runs arrives as data, in a [`SandboxSpec`].

pub mod fake;
#[cfg(target_os = "linux")]
pub mod namespaces;
mod root;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::exchange::Exchange;
use crate::inside::Inside;
use crate::output::OutputSink;
use crate::spec::InsideListeners;

pub use root::RootEntry;

/// A boxed future, as the driver traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What starts sandboxes.
pub trait Driver: Send + Sync {
    /// The isolation that its sandboxes have.
    fn level(&self) -> Level;

    /// Starts a sandbox, whose runtime speaks to `wiring.exchange`. Returns when the sandbox exists and its companions are
    /// started, with its program if it has none; that its runtime has initialised is the exchange's to say.
    fn start(&self, spec: SandboxSpec, wiring: Wiring)
    -> BoxFuture<'_, Result<Arc<dyn Sandbox>, StartError>>;

    /// Whether the host has little memory left, where it is known.
    fn is_short_of_memory(&self) -> bool {
        false
    }

    /// Ends every sandbox and the driver's own processes, and returns when nothing is left.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// A started sandbox.
pub trait Sandbox: Send + Sync {
    /// Ends it: every process inside dies. Harmless when it has ended already.
    fn kill(&self);

    /// Ends the burst of processor weight with which it starts; from now on it has what its memory buys.
    fn initialised(&self);

    /// Lets none of its processes run until it is thawed.
    fn freeze(&self);

    /// Lets its processes run again.
    fn thaw(&self);

    /// Starts its program, if that has waited for its companions.
    fn begin(&self) -> BoxFuture<'_, Result<(), StartError>>;

    /// What of it has ended while it stands: it outlives its program if it has companions, and these. Where it has none,
    /// the end of its program is its own.
    fn ends(&self) -> watch::Receiver<Ends>;

    /// Asks its program to end, or ends it, and nothing else. Harmless when it has ended already.
    fn end_program(&self, how: ProgramEnd);

    /// Connects to who listens at a port inside.
    fn connect(&self, port: u16) -> BoxFuture<'_, io::Result<TcpStream>>;

    /// Waits until nothing of it is left, and says how it ended. May be called again; the answer stays.
    fn ended(&self) -> BoxFuture<'_, Exit>;

    /// The most memory that it has used so far, in bytes, where the host measures it.
    fn memory_peak_bytes(&self) -> Option<u64>;

    /// Moves to the sink what has been written to its standard output and error until now.
    fn drain_output(&self);
}

/// What the platform connects to a sandbox.
pub struct Wiring {
    /// Where its runtime takes invocations and leaves responses.
    pub exchange: Arc<Exchange>,
    /// What else there is for processes inside.
    pub(crate) inside: Inside,
    /// Where its output goes.
    pub output: Arc<dyn OutputSink>,
    /// Where that of its companions goes.
    pub companion_output: Arc<dyn OutputSink>,
    /// Receives the listeners of the platform's endpoint, opened inside the sandbox's network.
    pub serve_endpoint: Box<dyn FnOnce(InsideListeners) + Send>,
}

/// A sandbox, described.
#[derive(Clone, Encode, Decode)]
pub struct SandboxSpec {
    /// Its root file system, in the order in which the entries are made.
    #[n(0)]
    pub root: Vec<RootEntry>,
    /// The program inside the sandbox, and its arguments.
    #[n(1)]
    pub command: Vec<String>,
    /// Its environment variables; secrets are among them.
    #[n(2)]
    pub variables: Vec<(String, String)>,
    /// The directory that it starts in.
    #[n(3)]
    pub directory: String,
    /// Its memory limit, in bytes.
    #[n(4)]
    pub memory_bytes: u64,
    /// Its weight when processors are short, in thousandths of one, once it has initialised.
    #[n(5)]
    pub cpu_milli: u32,
    /// How many processes and threads it may have.
    #[n(6)]
    pub processes_max: u32,
    /// Whether it has a way out, if the driver has one.
    #[n(7)]
    pub egress: bool,
    /// Ports of the host that it may connect to without a way out, if it has no network of its own.
    #[n(8)]
    pub host_ports: Vec<u16>,
    /// Programs beside it, which are started first.
    #[n(9)]
    pub companions: Vec<Companion>,
}

/// A program that runs in a sandbox beside that for which there is one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Companion {
    /// The program inside the sandbox, and its arguments.
    #[n(0)]
    pub command: Vec<String>,
    /// Its environment variables; secrets are among them.
    #[n(1)]
    pub variables: Vec<(String, String)>,
    /// The directory that it starts in.
    #[n(2)]
    pub directory: String,
}

/// What of a sandbox has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Its program.
    pub program: Option<Exit>,
    /// Its companions, in their order.
    pub companions: Vec<Option<Exit>>,
}

/// How a program is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It may finish what it does.
    Asked,
    /// At once.
    Killed,
}

/// How a sandbox ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Its program returned this status.
    Status(i32),
    /// Its program died of this signal.
    Signal(i32),
    /// It needed more memory than it may have.
    OutOfMemory,
    /// The platform ended it.
    Killed,
}

/// A sandbox that could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// Its program cannot be executed: a fault of the function.
    Entrypoint(String),
    /// A companion cannot be executed: a fault of the function too.
    Companion(String),
    /// The host refused something: a fault of the platform.
    Host(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entrypoint(why) => write!(f, "the program of the function cannot be executed: {why}"),
            Self::Companion(why) => write!(f, "an extension of the function cannot be executed: {why}"),
            Self::Host(why) => write!(f, "the sandbox cannot be started: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// How well a driver isolates, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Level {
    /// A plain process of the platform's own user.
    #[n(0)]
    None,
    /// Inside a container that gives no namespaces of its own: rules for files and system calls.
    #[n(1)]
    Container,
    /// Namespaces made without privilege.
    #[n(2)]
    Rootless,
    /// Namespaces, control groups and a user of its own.
    #[n(3)]
    Full,
}

impl Level {
    /// Whether a function has file systems, processes and a network of its own.
    pub fn has_namespaces(self) -> bool {
        self >= Self::Rootless
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Container => "container",
            Self::Rootless => "rootless",
            Self::Full => "full",
        })
    }
}
