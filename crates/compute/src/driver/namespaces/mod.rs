//! The driver of levels "full" and "rootless": sandboxes of namespaces and control groups, cloned by a [spawner]
//! process.
//! This side is the platform's: it asks the spawner, serves what listens inside, and hears how it ends.

mod architecture;
mod cgroups;
mod child;
mod control;
mod first_process;
mod identity;
mod instance;
pub(crate) mod interface;
mod link;
mod message;
mod mounts;
mod network;
mod output_pipe;
pub(crate) mod packet;
mod reserve;
mod sandbox;
mod scratch;
pub(crate) mod seccomp;
mod shared_host;
mod spawner;
mod supervisor;
pub(crate) mod watched;

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};

use apus_env::Env;

use self::cgroups::Groups;
use self::link::Link;
use self::message::Hello;
use self::network::NetworkPlan;
use self::shared_host::SharedHost;
use super::{BoxFuture, Driver, Level, Sandbox, SandboxSpec, StartError, Wiring};
use crate::egress::link::{Egress, EgressConfig};
use crate::egress::rules::EgressRules;

pub(crate) use self::cgroups::Layout;
pub(crate) use self::child::{landlock_version, try_namespaces};
pub use self::instance::{cgroup_name, sweep};
pub use self::shared_host::may_choose_users;
pub(crate) use self::shared_host::{first_user, is_open_to_others};
pub use self::spawner::{SPAWNER_ARGUMENT, spawner_main};

/// The port of the Runtime API inside a sandbox, as on AWS.
pub const RUNTIME_API_PORT: u16 = 9001;
/// The port at which the platform's endpoint speaks TLS inside a sandbox, and the one if that is taken.
pub const SECURE_PORTS: [u16; 2] = [443, 4443];
/// Network namespaces, and control groups, that are kept ready, unless told otherwise.
pub const SPARES: u32 = 4;
/// The user of the first sandbox, unless told otherwise: beyond what hosts give to people and services.
pub const UID_BASE: u32 = 200_000;
/// The host is short of memory when less than this part of it is left.
const MEMORY_RESERVE_PART: u64 = 16;

/// How this driver works.
#[derive(Clone, Debug)]
pub struct NamespaceConfig {
    /// A directory of this instance alone, for locks and mount points.
    pub run_dir: PathBuf,
    /// The program that calls [`spawner_main`] first thing.
    pub spawner_program: PathBuf,
    /// The user and group of the first sandbox; the others follow.
    pub uid_base: u32,
    /// How many sandboxes there may be at once.
    pub sandboxes_max: u32,
    /// The port of the platform's endpoint inside sandboxes.
    pub endpoint_port: u16,
    /// Network namespaces and control groups that are kept ready.
    pub spares: u32,
    /// How well sandboxes are isolated.
    pub level: Level,
    /// Whether a function never has more of the processors than its memory buys, even when they are idle.
    pub hard_cpu_limits: bool,
    /// Ports on which the platform listens outside.
    pub platform_ports: Vec<u16>,
    /// Names that are the platform inside, with all beneath them.
    pub names: Vec<String>,
    /// An address at which the platform is reached inside, as outside.
    pub public_address: Option<Ipv4Addr>,
    /// Where sandboxes that may leave can go; none has a way out without.
    pub egress: Option<EgressRules>,
}

impl NamespaceConfig {
    /// The usual choices.
    pub fn new(run_dir: impl Into<PathBuf>, sandboxes_max: u32, endpoint_port: u16) -> Self {
        Self {
            run_dir: run_dir.into(),
            spawner_program: "/proc/self/exe".into(),
            uid_base: UID_BASE,
            sandboxes_max,
            endpoint_port,
            spares: SPARES,
            level: if rustix::process::geteuid().is_root() { Level::Full } else { Level::Rootless },
            hard_cpu_limits: false,
            platform_ports: vec![endpoint_port],
            names: Vec::new(),
            public_address: None,
            egress: None,
        }
    }

    /// Whether every sandbox has a user of its own on the host.
    fn own_users(&self) -> bool {
        match self.level {
            Level::Full => true,
            Level::Rootless => false,
            Level::Container | Level::None => may_choose_users(),
        }
    }

    fn network(&self) -> NetworkPlan {
        let secure = SECURE_PORTS.into_iter().find(|port| *port != self.endpoint_port);
        NetworkPlan {
            runtime_api_port: RUNTIME_API_PORT,
            endpoint_port: self.endpoint_port,
            secure_port: secure.unwrap_or(SECURE_PORTS[0]),
            public_address: self.public_address.map(Ipv4Addr::to_bits),
            way_out: self.egress.is_some(),
        }
    }
}

/// Sandboxes of processes, with namespaces or, below level "rootless", without.
pub struct NamespaceDriver {
    env: Env,
    config: NamespaceConfig,
    hello: Hello,
    groups: Groups,
    /// Held by this process and, the second, by the spawner: the next instance waits until both are gone.
    locks: [File; 2],
    surroundings: Surroundings,
    spawner: Mutex<Spawner>,
}

/// What sandboxes have around them.
#[derive(Clone)]
struct Surroundings {
    names: Arc<[String]>,
    /// The process that serves devices, and the rules that it is given for each.
    way_out: Option<(Arc<Egress>, EgressRules)>,
    /// What they share without namespaces.
    shared: Option<Arc<SharedHost>>,
}

struct Spawner {
    link: Arc<Link>,
    process: Child,
    stopped: bool,
}

impl NamespaceDriver {
    /// Sweeps what an earlier run with this directory left behind, and starts the spawner. Must be called
    /// within a tokio runtime.
    pub fn start(env: Env, config: NamespaceConfig) -> Result<Self, StartError> {
        let host = |what: &'static str| move |error: io::Error| StartError::Host(format!("{what}: {error}"));
        let mount_point = config.run_dir.join("root");
        mounts::prepare_mount_point(&mount_point).map_err(host("make the run directory"))?;
        let locks = instance::lock(&config.run_dir)?;
        let layout = layout(config.level);
        if config.level == Level::Rootless {
            layout.make_room().map_err(host("make room in the delegated control group"))?;
        } else if config.level == Level::Full && layout == Layout::Absent {
            return Err(StartError::Host("there are no control groups; level `full` needs them".into()));
        }
        let name = cgroup_name(&config.run_dir).map_err(host("find the run directory"))?;
        let groups = Groups::new(layout, &name, config.hard_cpu_limits);
        groups.sweep().map_err(host("remove what an earlier run left behind"))?;
        let hello = Hello {
            root_mount_point: text(&mount_point)?,
            cgroup_name: name,
            uid_base: config.uid_base,
            network: config.network(),
            spares: config.spares,
            sandboxes_max: config.sandboxes_max,
            level: config.level,
            hard_cpu_limits: config.hard_cpu_limits,
            own_users: config.own_users(),
        };
        let (link, process) = Link::launch(&env, &config, &hello, groups.clone(), &locks[1])?;
        let spawner = Mutex::new(Spawner { link, process, stopped: false });
        let shared = (!config.level.has_namespaces())
            .then(|| SharedHost::prepare(&config).map(Arc::new))
            .transpose()
            .map_err(host("make room for files of functions"))?;
        let way_out = config.egress.clone().filter(|_| shared.is_none()).map(|rules| {
            let platform_ports = config.platform_ports.clone();
            let user = rustix::process::geteuid().is_root().then(|| config.uid_base - 1);
            let program = config.spawner_program.clone();
            let egress = Egress::new(
                &env,
                EgressConfig { program, run_dir: config.run_dir.clone(), user, platform_ports },
            );
            (Arc::new(egress), rules)
        });
        let surroundings = Surroundings { names: config.names.clone().into(), way_out, shared };
        Ok(Self { env, config, hello, groups, locks, surroundings, spawner })
    }

    /// The living spawner: another one, if it died.
    fn link(&self) -> Result<Arc<Link>, StartError> {
        let mut spawner = self.spawner();
        if spawner.stopped {
            return Err(StartError::Host("the platform is stopping".into()));
        }
        if spawner.link.is_gone() {
            tracing::error!(
                "the spawner of sandboxes died, and every sandbox with it; another one is started"
            );
            // It has closed its socket, the last thing but its own end.
            let _ = spawner.process.wait();
            let swept = self.groups.sweep();
            swept.map_err(|error| StartError::Host(format!("remove what a spawner left behind: {error}")))?;
            (spawner.link, spawner.process) =
                Link::launch(&self.env, &self.config, &self.hello, self.groups.clone(), &self.locks[1])?;
        }
        Ok(spawner.link.clone())
    }

    fn spawner(&self) -> MutexGuard<'_, Spawner> {
        self.spawner.lock().expect("no code panics while it holds this lock")
    }
}

impl Driver for NamespaceDriver {
    fn level(&self) -> Level {
        self.config.level
    }

    fn start(
        &self,
        spec: SandboxSpec,
        wiring: Wiring,
    ) -> BoxFuture<'_, Result<Arc<dyn Sandbox>, StartError>> {
        Box::pin(async { sandbox::start(self.link()?, self.surroundings.clone(), spec, wiring).await })
    }

    fn is_short_of_memory(&self) -> bool {
        fs::read_to_string("/proc/meminfo").is_ok_and(|text| is_short(&text))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let link = {
                let mut spawner = self.spawner();
                spawner.stopped = true;
                spawner.link.clone()
            };
            link.end().await;
            let _ = self.spawner().process.wait();
            if let Some((egress, _)) = &self.surroundings.way_out {
                egress.stop().await;
            }
            if let Some(shared) = &self.surroundings.shared {
                shared.clear();
            }
        })
    }
}

/// Whether `/proc/meminfo` shows that little of the host's memory is left.
fn is_short(meminfo: &str) -> bool {
    let kib = |field: &str| {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    match (kib("MemAvailable"), kib("MemTotal")) {
        (Some(available), Some(total)) => available < total / MEMORY_RESERVE_PART,
        _ => false,
    }
}

/// The control groups that this process may use.
fn layout(level: Level) -> Layout {
    match level {
        Level::Full => Layout::detect().unwrap_or(Layout::Absent),
        Level::Rootless => Layout::delegated().unwrap_or(Layout::Absent),
        Level::Container | Level::None => Layout::Absent,
    }
}

fn text(path: &Path) -> Result<String, StartError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| StartError::Host(format!("{} is no UTF-8; choose another directory", path.display())))
}

#[cfg(test)]
mod tests {
    use super::is_short;

    #[test]
    fn a_sixteenth_of_the_memory_is_kept() {
        let meminfo = |available: u32| {
            format!("MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:   {available} kB\n")
        };
        assert!(!is_short(&meminfo(1_000)));
        assert!(is_short(&meminfo(999)));
        assert!(!is_short("MemTotal: 16000 kB\n"), "what is not known is not short");
    }
}
