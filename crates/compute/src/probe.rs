//! What this host gives to sandboxes: facts, each with a reason and what to do. Reads, but changes nothing.

use crate::driver::Level;

/// One thing that a level of isolation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What, such as `control groups`.
    pub name: &'static str,
    /// Whether it is there, and how.
    pub state: Result<String, Lack>,
    /// Whether level "full" needs it.
    pub required: bool,
}

/// Why something is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What was found.
    pub reason: String,
    /// What the user can do.
    pub remedy: String,
}

/// All facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// One for each thing that was looked at.
    pub facts: Vec<Fact>,
}

impl Capabilities {
    /// The best level that this host allows.
    pub fn level(&self) -> Level {
        let full = self.facts.iter().all(|fact| !fact.required || fact.state.is_ok());
        if full { Level::Full } else { Level::None }
    }

    /// Whether a level is allowed and implemented, or why not.
    pub fn accept(&self, weakest: Level) -> Result<Level, String> {
        if self.level() == Level::Full {
            return Ok(Level::Full);
        }
        let lacks: Vec<String> = self
            .facts
            .iter()
            .filter(|fact| fact.required)
            .filter_map(|fact| {
                let lack = fact.state.as_ref().err()?;
                Some(format!("{}: {}; {}", fact.name, lack.reason, lack.remedy))
            })
            .collect();
        let lacks = lacks.join(". ");
        if weakest == Level::Full {
            return Err(format!("this host does not allow isolation level `full`. {lacks}"));
        }
        Err(format!(
            "isolation level `{weakest}` is not implemented yet, and this host does not allow `full`. {lacks}"
        ))
    }
}

/// Looks at this host.
#[cfg(target_os = "linux")]
pub fn probe() -> Capabilities {
    let facts = vec![
        Fact { name: "root privileges", state: root(), required: true },
        Fact { name: "namespaces", state: namespaces(), required: true },
        Fact { name: "control groups", state: control_groups(), required: true },
        Fact { name: "seccomp", state: seccomp(), required: true },
        Fact { name: "landlock", state: landlock(), required: false },
        Fact { name: "egress", state: can_leave(), required: false },
    ];
    Capabilities { facts }
}

#[cfg(target_os = "linux")]
fn lack<T>(reason: impl Into<String>, remedy: &str) -> Result<T, Lack> {
    Err(Lack { reason: reason.into(), remedy: remedy.into() })
}

#[cfg(target_os = "linux")]
fn root() -> Result<String, Lack> {
    use rustix::thread::CapabilitySet;

    let user = rustix::process::geteuid();
    if !user.is_root() {
        return lack(format!("running as user {}", user.as_raw()), "run as root");
    }
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::SETPCAP
        | CapabilitySet::NET_ADMIN
        | CapabilitySet::KILL;
    match rustix::thread::capabilities(None) {
        Ok(sets) if sets.effective.contains(needed) => {
            Ok("root with the capabilities that sandboxes need".into())
        }
        Ok(sets) => lack(
            format!("root, but without {:?}", needed - sets.effective),
            "run outside of a container, or give it these capabilities",
        ),
        Err(error) => lack(error.to_string(), "run as root"),
    }
}

#[cfg(target_os = "linux")]
fn namespaces() -> Result<String, Lack> {
    let missing: Vec<&str> = ["mnt", "pid", "ipc", "uts", "net", "cgroup"]
        .into_iter()
        .filter(|kind| !std::path::Path::new("/proc/self/ns").join(kind).exists())
        .collect();
    if missing.is_empty() {
        Ok("mount, pid, ipc, uts, network and control group namespaces".into())
    } else {
        lack(
            format!("the kernel has no {} namespace", missing.join(", ")),
            "use a kernel with all namespaces",
        )
    }
}

#[cfg(target_os = "linux")]
fn control_groups() -> Result<String, Lack> {
    use crate::driver::namespaces::Layout;

    match Layout::detect() {
        Ok(Layout::V1(_)) => Ok("memory, cpu and pids, one hierarchy each (version 1)".into()),
        Ok(Layout::V2(path)) => Ok(format!("memory, cpu and pids at {} (version 2)", path.display())),
        Err(reason) => lack(reason, "mount the memory, cpu and pids controllers"),
    }
}

#[cfg(target_os = "linux")]
fn seccomp() -> Result<String, Lack> {
    match std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) if actions.split_whitespace().any(|action| action == "errno") => Ok("filters".into()),
        Ok(_) => lack("filters cannot refuse a call", "use a kernel with seccomp filters"),
        Err(error) => lack(format!("no filters: {error}"), "use a kernel with seccomp filters"),
    }
}

/// Whether sandboxes can have a way out, and how.
#[cfg(target_os = "linux")]
pub fn can_leave() -> Result<String, Lack> {
    use crate::driver::namespaces::interface::TUN_NODE;

    match std::fs::File::options().read(true).write(true).open(TUN_NODE) {
        Ok(_) => Ok(format!("devices from {TUN_NODE}")),
        Err(error) => lack(
            format!("{TUN_NODE} cannot be opened: {error}"),
            "load the kernel's `tun` module and let this user read and write the node, for functions to reach the internet",
        ),
    }
}

#[cfg(target_os = "linux")]
fn landlock() -> Result<String, Lack> {
    match crate::driver::namespaces::landlock_version() {
        Some(version) => Ok(format!("version {version}")),
        None => {
            lack("the kernel has no landlock", "boot with `lsm=landlock,...` for a second fence around files")
        }
    }
}
