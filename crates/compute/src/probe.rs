//! What this host gives to sandboxes: facts, each with a reason and what to do. Reads, but changes nothing.

use crate::driver::Level;

/// One thing that a level of isolation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What, such as `control groups`.
    pub name: &'static str,
    /// Whether it is there, and how.
    pub state: Result<String, Lack>,
    /// The levels that cannot be without it.
    pub needed_by: &'static [Level],
    /// What is weaker without it, at the levels that can.
    pub weaker: &'static str,
    /// The levels at which that is so.
    pub weaker_at: &'static [Level],
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

/// The best first.
const LEVELS: [Level; 4] = [Level::Full, Level::Rootless, Level::Container, Level::None];
/// What is weaker without namespaces, whatever the host has.
const SHARED: &str = "functions see this host's programs, processes and network, and connect to anything that listens; /tmp is \
                      everybody's, and neither memory nor processors are shared out";

impl Capabilities {
    /// The best level that this host allows; `none` is always possible.
    pub fn best(&self) -> Level {
        LEVELS.into_iter().find(|level| self.lacks(*level).is_empty()).unwrap_or(Level::None)
    }

    /// What a level needs and this host lacks, each with its remedy.
    fn lacks(&self, level: Level) -> Vec<String> {
        let lacking = self.facts.iter().filter(|fact| fact.needed_by.contains(&level));
        lacking
            .filter_map(|fact| {
                let lack = fact.state.as_ref().err()?;
                Some(format!("{}: {}; {}", fact.name, lack.reason, lack.remedy))
            })
            .collect()
    }

    /// What is weaker than it could be when functions run at a level, for people.
    pub fn weaker(&self, level: Level) -> Vec<&'static str> {
        let lacking = self.facts.iter().filter(|fact| fact.state.is_err());
        // Where nothing is apart, what would be apart with less is no news.
        let told = lacking.filter(|fact| fact.weaker_at.contains(&level));
        let shared = (!level.has_namespaces()).then_some(SHARED);
        shared.into_iter().chain(told.map(|fact| fact.weaker)).collect()
    }

    /// Whether functions without a network of their own can be kept from connecting to others.
    #[cfg(target_os = "linux")]
    pub fn can_refuse_egress(&self, level: Level) -> bool {
        const NETWORKS_SINCE: u32 = 4;
        level == Level::Container
            && crate::driver::namespaces::landlock_version().is_some_and(|version| version >= NETWORKS_SINCE)
    }

    /// The best level that is allowed, unless it is weaker than the weakest that will do; or why not.
    pub fn accept(&self, weakest: Level) -> Result<Level, String> {
        let best = self.best();
        if best >= weakest {
            return Ok(best);
        }
        let weaker = self.weaker(best).join("; ");
        Err(format!(
            "isolation level `{weakest}` is not possible here. {}. level `{best}` is possible: allow it with \
             --accept-isolation={best}, and know that {weaker}",
            self.lacks(weakest).join(". ")
        ))
    }
}

/// Looks at this host.
#[cfg(target_os = "linux")]
pub fn probe() -> Capabilities {
    const BOTH: &[Level] = &[Level::Full, Level::Rootless];
    let fact = |name, state, needed_by: &'static [Level], weaker| {
        let weaker_at: &[Level] = match name {
            "users of their own" => &[Level::Container, Level::None],
            "seccomp" => &[Level::None],
            "landlock" => &[Level::Full, Level::Rootless, Level::None],
            _ if needed_by == BOTH => &[],
            _ if needed_by.is_empty() => BOTH,
            _ => &[Level::Rootless],
        };
        Fact { name, state, needed_by, weaker, weaker_at }
    };
    let root = root();
    let groups = if root.is_ok() { control_groups() } else { delegated_control_groups() };
    let facts = vec![
        fact(
            "root privileges",
            root,
            &[Level::Full],
            "on the host every function is the user of the platform, who is the same for all",
        ),
        fact("namespaces", namespaces(), BOTH, ""),
        fact("user namespaces", user_namespaces().and_then(|how| tried().map(|()| how)), BOTH, ""),
        fact(
            "control groups",
            groups,
            &[Level::Full],
            "memory is limited for each process rather than each function, and processors are not shared by memory",
        ),
        fact(
            "scratch space besides memory",
            scratch(),
            &[],
            "what a function writes to /tmp counts towards its memory",
        ),
        fact(
            "seccomp",
            seccomp(),
            &[Level::Full, Level::Rootless, Level::Container],
            "every system call is open to functions",
        ),
        fact(
            "landlock",
            landlock(),
            &[Level::Container],
            "files are guarded by mounts alone, or by nothing but their modes where there are none",
        ),
        fact(
            "users of their own",
            users(),
            &[],
            "functions are the platform's own user: each can end and read the others, and speak for them to the platform",
        ),
        fact("egress", can_leave(), &[], "functions reach nothing outside"),
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

/// Reads what the usual kernels and distributions restrict.
#[cfg(target_os = "linux")]
fn user_namespaces() -> Result<String, Lack> {
    let setting = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    if !std::path::Path::new("/proc/self/ns/user").exists() {
        return lack("the kernel has no user namespaces", "use a kernel with all namespaces");
    }
    if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return lack("user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=10000");
    }
    if root().is_err() {
        for (name, restricts) in
            [("kernel.unprivileged_userns_clone", "0"), ("kernel.apparmor_restrict_unprivileged_userns", "1")]
        {
            if setting(&format!("/proc/sys/{}", name.replace('.', "/"))).as_deref() == Some(restricts) {
                let allows = if restricts == "0" { "1" } else { "0" };
                return lack(
                    format!("{name} is {restricts}"),
                    &format!("sysctl -w {name}={allows}, or run as root"),
                );
            }
        }
    }
    Ok("one for each function".into())
}

/// Makes namespaces in a process of its own: what forbids them in a container is written nowhere.
#[cfg(target_os = "linux")]
fn tried() -> Result<(), Lack> {
    use crate::driver::namespaces::try_namespaces;

    const REMEDY: &str = "run outside of a container, or let it: docker run --privileged, or --security-opt seccomp=unconfined \
                          --security-opt apparmor=unconfined --security-opt systempaths=unconfined";
    try_namespaces(root().is_ok()).or_else(|error| lack(format!("they cannot be made: {error}"), REMEDY))
}

/// Whether functions can be users of their own where they share this host.
#[cfg(target_os = "linux")]
fn users() -> Result<String, Lack> {
    if crate::driver::namespaces::may_choose_users() {
        Ok("one for each function, even without namespaces".into())
    } else {
        lack(
            "this process may not choose its user",
            "run as root, with the capabilities setuid, setgid, kill and chown",
        )
    }
}

#[cfg(target_os = "linux")]
fn delegated_control_groups() -> Result<String, Lack> {
    use crate::driver::namespaces::Layout;

    match Layout::delegated() {
        Ok(Layout::V2(path)) => Ok(format!("memory, cpu and pids, delegated at {}", path.display())),
        Ok(_) => lack("there are none", "use a kernel with control groups"),
        Err(reason) => lack(
            reason,
            "delegate one, for example with `systemd-run --user --scope -p Delegate=yes apus start`",
        ),
    }
}

#[cfg(target_os = "linux")]
fn scratch() -> Result<String, Lack> {
    use crate::driver::namespaces::Layout;

    let layout = if root().is_ok() { Layout::detect() } else { Layout::delegated() };
    match layout {
        Ok(Layout::V2(_)) => Ok("/tmp does not count towards a function's memory".into()),
        _ => lack("control groups of version 2 are not there", "use a host with control groups of version 2"),
    }
}

#[cfg(target_os = "linux")]
fn control_groups() -> Result<String, Lack> {
    use crate::driver::namespaces::Layout;

    match Layout::detect() {
        Ok(Layout::V1 { .. }) => Ok("memory, cpu and pids, one hierarchy each (version 1)".into()),
        Ok(Layout::V2(path)) => Ok(format!("memory, cpu and pids at {} (version 2)", path.display())),
        Ok(Layout::Absent) => lack("there are none", "mount the memory, cpu and pids controllers"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn host(lacking: &[&str]) -> Capabilities {
        let mut host = probe();
        for fact in &mut host.facts {
            fact.state = if lacking.contains(&fact.name) {
                Err(Lack { reason: "it is not".into(), remedy: "get it".into() })
            } else {
                Ok(String::new())
            };
        }
        host
    }

    #[test]
    fn the_best_level_is_taken_and_what_is_weaker_is_named() {
        assert_eq!(host(&[]).accept(Level::Rootless), Ok(Level::Full));
        assert_eq!(host(&[]).weaker(Level::Full), Vec::<&str>::new());
        let rootless = host(&["root privileges", "control groups", "landlock"]);
        assert_eq!(rootless.accept(Level::Rootless), Ok(Level::Rootless));
        assert_eq!(rootless.accept(Level::None), Ok(Level::Rootless), "the best, not the weakest");
        assert_eq!(rootless.weaker(Level::Rootless).len(), 3);
        let why = rootless.accept(Level::Full).expect_err("it is not full");
        assert!(why.contains("root privileges: it is not; get it"), "{why}");
        assert!(why.contains("--accept-isolation=rootless"), "{why}");
    }

    #[test]
    fn without_namespaces_nothing_runs_unless_that_is_accepted() {
        for (lacking, best, weaker) in [
            (&["user namespaces"][..], Level::Container, 1),
            (&["user namespaces", "users of their own"], Level::Container, 2),
            (&["user namespaces", "landlock"], Level::None, 2),
            (
                &["user namespaces", "root privileges", "egress", "seccomp", "users of their own"],
                Level::None,
                3,
            ),
        ] {
            let host = host(lacking);
            assert_eq!((host.best(), host.accept(best)), (best, Ok(best)));
            assert_eq!(host.weaker(best).len(), weaker, "{:?}", host.weaker(best));
            assert!(host.weaker(best)[0].contains("network"));
            for weakest in [Level::Rootless, Level::Full] {
                let why = host.accept(weakest).expect_err("it is weaker");
                assert!(why.contains("user namespaces: it is not; get it"), "{why}");
                assert!(why.contains(&format!("--accept-isolation={best}")), "{why}");
            }
        }
    }
}
