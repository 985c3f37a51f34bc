//! What an installation may choose about running functions.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::driver::Level;
use crate::egress::rules::EgressRules;
use crate::pool::rules::PoolLimits;
use crate::runtimes::InterpreterSearch;

/// An environment that is used without pause need not be frozen each time.
const FREEZE_AFTER: Duration = Duration::from_millis(20);
/// The names at which AWS is, and `localhost`.
pub const ENDPOINT_NAMES: [&str; 5] =
    ["localhost", "amazonaws.com", "amazonaws.com.cn", "api.aws", "localhost.localstack.cloud"];

/// How functions are run.
#[derive(Clone, Debug)]
pub struct ComputeConfig {
    /// A directory of this instance alone, which processes of other users may enter.
    pub run_dir: PathBuf,
    /// The weakest isolation that will do.
    pub accept_isolation: Level,
    /// The strongest isolation that is used, where the host allows more: for trying what others will have.
    pub isolation_max: Option<Level>,
    /// Whether a function never has more of the processors than its memory buys, even when they are idle.
    pub hard_cpu_limits: bool,
    /// The program that starts as the spawner: it calls [`crate::spawner_main`] first thing.
    pub spawner_program: PathBuf,
    /// The port of the platform's endpoint inside sandboxes.
    pub endpoint_port: u16,
    /// Ports on which the platform listens outside: no function reaches them at an address of the host's.
    pub platform_ports: Vec<u16>,
    /// Names that lead to the platform's endpoint inside sandboxes, with all beneath them; in lower case.
    pub endpoint_names: Vec<String>,
    /// An address that leads there too.
    pub endpoint_address: Option<Ipv4Addr>,
    /// Certificates, as PEM, that sandboxes trust beside those that this host does.
    pub trusted_certificates: Option<String>,
    /// Where functions may connect to beside the platform; nowhere without.
    pub egress: Option<EgressRules>,
    /// Environments at once.
    pub environments_max: u32,
    /// Invocations that wait for one.
    pub waiting_max: usize,
    /// How long an unused environment is kept.
    pub idle_max: Duration,
    /// How long an environment does nothing before it is frozen; `None`: it never is.
    pub freeze_after: Option<Duration>,
    /// Where interpreters are.
    pub interpreters: InterpreterSearch,
    /// The AWS SDKs that functions find without bringing them; without, they bring them.
    pub sdk: Option<SdkConfig>,
}

/// The AWS SDKs of this host.
#[derive(Clone, Debug)]
pub struct SdkConfig {
    /// Where they are kept, for all instances of this user.
    pub directory: PathBuf,
    /// Told what takes long.
    pub progress: fn(&str),
}

impl ComputeConfig {
    /// The usual choices.
    pub fn new(run_dir: impl Into<PathBuf>, endpoint_port: u16) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self {
            run_dir: run_dir.into(),
            accept_isolation: Level::Rootless,
            isolation_max: None,
            hard_cpu_limits: false,
            spawner_program: "/proc/self/exe".into(),
            endpoint_port,
            platform_ports: vec![endpoint_port],
            endpoint_names: ENDPOINT_NAMES.map(str::to_owned).into(),
            endpoint_address: None,
            trusted_certificates: None,
            egress: None,
            environments_max: 200,
            waiting_max: 1000,
            idle_max: Duration::from_mins(5),
            freeze_after: Some(FREEZE_AFTER),
            interpreters: InterpreterSearch::usual(std::env::var("PATH").ok().as_deref(), home.as_deref()),
            sdk: None,
        }
    }

    /// What of it bounds the pool.
    pub(crate) fn limits(&self) -> PoolLimits {
        PoolLimits {
            environments_max: self.environments_max as usize,
            waiting_max: self.waiting_max,
            idle_max: self.idle_max,
            freeze_after: self.freeze_after,
        }
    }
}
