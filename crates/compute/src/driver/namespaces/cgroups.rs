//! Control groups: memory, processor weight and number of processes of each sandbox, under both layouts
//! that kernels offer. The groups live at `apus/<instance>/<slot>` from the root of each hierarchy or, without
//! root, of what was delegated to the platform's user.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The controllers that bound a sandbox.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];
/// The older layout's controller that stops processes, its file, and the word that lets them run.
const FREEZER: &str = "freezer";
const FREEZER_STATE: &str = "freezer.state";
const THAWED: &str = "THAWED";
/// Weight of one processor under the older layout.
const SHARES_PER_CPU: u64 = 1024;
/// What a sandbox weighs at least while it initialises: as on AWS, small functions start with a full processor.
const BURST_CPU_MILLI: u32 = 1000;
/// The smallest number of shares that the kernel takes.
const SHARES_MIN: u64 = 2;
/// Weight of one processor under the newer layout, and the range that the kernel takes.
const WEIGHT_PER_CPU: u64 = 100;
const WEIGHT_MIN: u64 = 1;
const WEIGHT_MAX: u64 = 10_000;

/// The time in which a hard limit of processors holds, in microseconds, and the least that the kernel grants of it.
const QUOTA_PERIOD_US: u64 = 100_000;
const QUOTA_US_MIN: u64 = 1000;
/// The group that a platform without root moves into, so that those of its sandboxes may have limits.
const PLATFORM_GROUP: &str = "apus-platform";
/// What is asked back from a group's caches before it is judged to need too much.
const RECLAIM: &str = "1G";

/// What bounds one sandbox.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) memory_bytes: u64,
    /// What of its memory may be scratch space besides, where the kernel tells when to look.
    pub(super) scratch_bytes: u64,
    pub(super) cpu_milli: u32,
    pub(super) processes_max: u32,
}

/// Where the host mounts its hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One hierarchy per controller.
    V1 {
        /// In the order of [`CONTROLLERS`].
        roots: [PathBuf; 3],
        /// Where the host has one.
        freezer: Option<PathBuf>,
    },
    /// One hierarchy for all, from here on.
    V2(PathBuf),
    /// None that this process may use.
    Absent,
}

impl Layout {
    /// What a user without root has: a part of the hierarchy that was delegated to it, or why there is none.
    pub(crate) fn delegated() -> Result<Self, String> {
        let unreadable = |error: io::Error| error.to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(unreadable)?;
        let hierarchy = mounted(&mounts, "cgroup2", None).ok_or("there is no hierarchy of version 2")?;
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(unreadable)?;
        let own = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .ok_or("this process is in no control group of version 2")?;
        let own = own.strip_suffix(PLATFORM_GROUP).unwrap_or(own);
        let base = hierarchy.join(own.trim_end_matches('/'));
        let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
        if let Some(lacking) = CONTROLLERS.iter().find(|c| !offered.split_whitespace().any(|o| o == **c)) {
            return Err(format!("the controller `{lacking}` is not delegated to {}", base.display()));
        }
        let writable = |file: &str| rustix::fs::access(base.join(file), rustix::fs::Access::WRITE_OK).is_ok();
        if !["", "cgroup.procs", "cgroup.subtree_control"].into_iter().all(writable) {
            return Err(format!("{} is not delegated to this user", base.display()));
        }
        let members = fs::read_to_string(base.join("cgroup.procs")).unwrap_or_default();
        let own = std::process::id().to_string();
        if let Some(other) = members.lines().find(|member| *member != own) {
            return Err(format!(
                "process {other} is in {} too, so that it cannot be divided",
                base.display()
            ));
        }
        Ok(Self::V2(base))
    }

    /// Moves this process out of the way: a group with limits of its own for its members has no members itself.
    pub(super) fn make_room(&self) -> io::Result<()> {
        let Self::V2(base) = self else { return Ok(()) };
        let platform = base.join(PLATFORM_GROUP);
        match fs::create_dir(&platform) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        write(&platform.join("cgroup.procs"), "0")
    }

    /// What root has on this host, or why it will not do.
    pub(crate) fn detect() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|error| format!("/proc/self/mountinfo cannot be read: {error}"))?;
        if let Some(path) = mounted(&mounts, "cgroup2", None) {
            let offered = fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
            if CONTROLLERS.iter().all(|controller| offered.split_whitespace().any(|o| o == *controller)) {
                return Ok(Self::V2(path));
            }
        }
        let mut paths = Vec::new();
        for controller in CONTROLLERS {
            match mounted(&mounts, "cgroup", Some(controller)) {
                Some(path) => paths.push(path),
                None => return Err(format!("the control group controller `{controller}` is not mounted")),
            }
        }
        let [memory, cpu, pids] =
            <[PathBuf; 3]>::try_from(paths).expect("one path was found for each controller");
        let freezer = mounted(&mounts, "cgroup", Some(FREEZER));
        Ok(Self::V1 { roots: [memory, cpu, pids], freezer })
    }
}

/// The mount point of a hierarchy in `mountinfo`.
fn mounted(mountinfo: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (head, tail) = line.split_once(" - ")?;
        let mut tail = tail.split(' ');
        if tail.next()? != kind {
            return None;
        }
        let options = tail.nth(1)?;
        let fits = controller.is_none_or(|wanted| options.split(',').any(|option| option == wanted));
        fits.then(|| head.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// The groups of one instance of the platform.
#[derive(Clone)]
pub(super) struct Groups {
    layout: Layout,
    name: String,
    /// Whether processors are bounded even when they are idle.
    hard: bool,
}

impl Groups {
    pub(super) fn new(layout: Layout, name: &str, hard: bool) -> Self {
        Self { layout, name: name.to_owned(), hard }
    }

    /// Makes the instance's own groups. Another instance that ends may remove what they share meanwhile.
    pub(super) fn prepare(&self) -> io::Result<()> {
        const ATTEMPTS: u32 = 10;
        let mut made = self.try_prepare();
        for _ in 1..ATTEMPTS {
            if !made.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                break;
            }
            made = self.try_prepare();
        }
        made
    }

    fn try_prepare(&self) -> io::Result<()> {
        match &self.layout {
            Layout::V1 { roots, freezer } => {
                for root in roots.iter().chain(freezer) {
                    fs::create_dir_all(root.join(&self.name))?;
                }
            }
            Layout::Absent => {}
            Layout::V2(root) => {
                let enable = CONTROLLERS.map(|controller| format!("+{controller}")).join(" ");
                let mut path = root.clone();
                write(&path.join("cgroup.subtree_control"), &enable)?;
                for part in self.name.split('/') {
                    path.push(part);
                    fs::create_dir_all(&path)?;
                    write(&path.join("cgroup.subtree_control"), &enable)?;
                }
            }
        }
        Ok(())
    }

    /// The group of a slot, without touching the host.
    pub(super) fn slot(&self, slot: u32) -> Group {
        let beneath = format!("{}/{slot}", self.name);
        match &self.layout {
            Layout::V1 { roots, freezer } => {
                let directories = roots.iter().chain(freezer).map(|root| root.join(&beneath)).collect();
                Group { v2: false, directories, hard: self.hard }
            }
            Layout::V2(root) => Group { v2: true, directories: vec![root.join(beneath)], hard: self.hard },
            Layout::Absent => Group { v2: false, directories: Vec::new(), hard: self.hard },
        }
    }

    /// Ends what is in any group of this instance, and removes the groups, its own included.
    pub(super) fn sweep(&self) -> io::Result<u32> {
        let mut ended = 0;
        let instance: Vec<PathBuf> = match &self.layout {
            // The freezer's first: what is frozen cannot end.
            Layout::V1 { roots, freezer } => {
                freezer.iter().chain(roots).map(|root| root.join(&self.name)).collect()
            }
            Layout::V2(root) => vec![root.join(&self.name)],
            Layout::Absent => Vec::new(),
        };
        for directory in instance {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    ended += end_all(&entry.path())?;
                    remove(&entry.path())?;
                }
            }
            remove(&directory)?;
            if let Some(shared) = directory.parent() {
                // Other instances may be in it, or be about to.
                let _ = fs::remove_dir(shared);
            }
        }
        Ok(ended)
    }
}

/// How the first process of a sandbox comes into its group. Another process writing its number there would
/// take milliseconds: the kernel then waits for all processors.
pub(super) enum Entrance {
    /// It writes `0` to each of these.
    Walks(Vec<OwnedFd>),
    /// It is cloned into this directory.
    Born(OwnedFd),
    /// There is no group.
    None,
}

/// The group of one sandbox.
pub(super) struct Group {
    v2: bool,
    /// Empty where there are no groups. Under the older layout in the order of [`CONTROLLERS`], and behind them the
    /// freezer's where the host has one.
    directories: Vec<PathBuf>,
    hard: bool,
}

impl Group {
    /// Makes it, and returns how a process comes into it.
    pub(super) fn create(&self) -> io::Result<Entrance> {
        // The freezer's first: what is frozen cannot end.
        for directory in self.directories.iter().rev() {
            match fs::create_dir(directory) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    // Left by a sandbox that could not be removed: a group's history must not be inherited.
                    end_all(directory)?;
                    remove(directory)?;
                    fs::create_dir(directory)?;
                }
                other => other?,
            }
        }
        if self.directories.is_empty() {
            return Ok(Entrance::None);
        }
        if self.v2 {
            let group = rustix::fs::open(
                &self.directories[0],
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            return Ok(Entrance::Born(group));
        }
        let doors = self.directories.iter().map(|directory| {
            Ok(rustix::fs::open(directory.join("tasks"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
        });
        Ok(Entrance::Walks(doors.collect::<io::Result<_>>()?))
    }

    /// Bounds it.
    pub(super) fn limit(&self, limits: Limits) -> io::Result<()> {
        if self.directories.is_empty() {
            return Ok(());
        }
        if self.v2 {
            let own = &self.directories[0];
            let most = limits.memory_bytes + limits.scratch_bytes;
            write(&own.join("memory.max"), &most.to_string())?;
            if limits.scratch_bytes > 0 {
                write(&own.join("memory.high"), &limits.memory_bytes.to_string())?;
            }
            optional(write(&own.join("memory.swap.max"), "0"))?;
            optional(write(&own.join("memory.oom.group"), "1"))?;
            write(&own.join("pids.max"), &limits.processes_max.to_string())?;
        } else {
            let [memory, _, pids] = self.v1();
            write(&memory.join("memory.limit_in_bytes"), &limits.memory_bytes.to_string())?;
            optional(write(&memory.join("memory.memsw.limit_in_bytes"), &limits.memory_bytes.to_string()))?;
            write(&pids.join("pids.max"), &limits.processes_max.to_string())?;
        }
        self.weigh(limits.cpu_milli.max(BURST_CPU_MILLI))
    }

    /// Sets its weight when processors are short.
    pub(super) fn weigh(&self, cpu_milli: u32) -> io::Result<()> {
        let cpu = u64::from(cpu_milli);
        let quota = (cpu * QUOTA_PERIOD_US / 1000).max(QUOTA_US_MIN);
        if self.directories.is_empty() {
            return Ok(());
        }
        if self.v2 {
            let own = &self.directories[0];
            if self.hard {
                write(&own.join("cpu.max"), &format!("{quota} {QUOTA_PERIOD_US}"))?;
            }
            let weight = (cpu * WEIGHT_PER_CPU / 1000).clamp(WEIGHT_MIN, WEIGHT_MAX);
            write(&own.join("cpu.weight"), &weight.to_string())
        } else {
            let [_, processor, _] = self.v1();
            if self.hard {
                write(&processor.join("cpu.cfs_period_us"), &QUOTA_PERIOD_US.to_string())?;
                write(&processor.join("cpu.cfs_quota_us"), &quota.to_string())?;
            }
            let shares = (cpu * SHARES_PER_CPU / 1000).max(SHARES_MIN);
            write(&processor.join("cpu.shares"), &shares.to_string())
        }
    }

    /// Lets none of its processes run, or lets them run again.
    ///
    /// Where the host cannot freeze, it does nothing: what runs between invocations then runs.
    pub(super) fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        if self.v2 {
            return write(&self.directories[0].join("cgroup.freeze"), if frozen { "1" } else { "0" });
        }
        match self.directories.get(CONTROLLERS.len()) {
            Some(freezer) => write(&freezer.join(FREEZER_STATE), if frozen { "FROZEN" } else { THAWED }),
            None => Ok(()),
        }
    }

    /// The directories of the controllers under the older layout.
    fn v1(&self) -> &[PathBuf; 3] {
        self.directories.first_chunk().expect("the older layout has one directory per controller")
    }

    /// A descriptor that tells of the group's memory. Under the older layout it becomes readable when there is no
    /// more; under the newer one, where the kernel ends the whole group itself, it has an exceptional condition
    /// when the memory besides scratch space may be used up.
    pub(super) fn watch_memory(&self) -> io::Result<Option<OwnedFd>> {
        if self.directories.is_empty() {
            return Ok(None);
        }
        if self.v2 {
            let events = self.directories[0].join("memory.events");
            return Ok(Some(rustix::fs::open(events, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?));
        }
        let memory = &self.directories[0];
        let event = rustix::event::eventfd(
            0,
            rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK,
        )?;
        let control = rustix::fs::open(
            memory.join("memory.oom_control"),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        use std::os::fd::AsRawFd;
        write(
            &memory.join("cgroup.event_control"),
            &format!("{} {}", event.as_raw_fd(), control.as_raw_fd()),
        )?;
        Ok(Some(event))
    }

    /// Which layout it is of: whether [`Self::watch_memory`] tells of pressure rather than of the end.
    pub(super) fn tells_pressure(&self) -> bool {
        self.v2
    }

    /// Under the newer layout: looks at a group that has reached its limit, or whose limit was raised. `None` if it
    /// needs more than it may have besides its scratch space; else its limit follows what is in there, and the
    /// result says by how many bytes it is raised.
    pub(super) fn follow_scratch(&self, limits: Limits, scratch_used_bytes: u64) -> io::Result<Option<u64>> {
        let own = &self.directories[0];
        let charged = || -> io::Result<u64> {
            let used = number(&fs::read_to_string(own.join("memory.current"))?);
            let stat = fs::read_to_string(own.join("memory.stat"))?;
            let cached = stat
                .lines()
                .filter_map(|line| {
                    line.strip_prefix("inactive_file ").or_else(|| line.strip_prefix("active_file "))
                })
                .map(number)
                .sum();
            Ok(used.saturating_sub(cached).saturating_sub(scratch_used_bytes))
        };
        if charged()? >= limits.memory_bytes {
            // Caches of the kernel are no need. That not so much can be given back is an error to it.
            let _ = fs::write(own.join("memory.reclaim"), RECLAIM);
            if charged()? >= limits.memory_bytes {
                return Ok(None);
            }
        }
        let raised = scratch_used_bytes.min(limits.scratch_bytes);
        write(&own.join("memory.high"), &(limits.memory_bytes + raised).to_string())?;
        Ok(Some(raised))
    }

    /// Whether the kernel has killed in it for want of memory.
    pub(super) fn out_of_memory(&self) -> bool {
        if self.directories.is_empty() {
            return false;
        }
        let file = if self.v2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.directories[0].join(file)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix("oom_kill "))
            .any(|count| count.trim().parse::<u64>().is_ok_and(|count| count > 0))
    }

    /// The most memory that was in use at once.
    pub(super) fn memory_peak_bytes(&self) -> Option<u64> {
        self.memory_peak()?.bytes()
    }

    /// The same, to be asked often.
    pub(super) fn memory_peak(&self) -> Option<MemoryPeak> {
        let file = if self.v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::File::open(self.directories.first()?.join(file)).ok().map(MemoryPeak)
    }

    /// Removes it, empty by now.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.directories.iter().try_for_each(|directory| remove(directory))
    }
}

/// The file that tells the most memory that a group used at once, held open.
pub(super) struct MemoryPeak(fs::File);

impl MemoryPeak {
    pub(super) fn bytes(&self) -> Option<u64> {
        let mut digits = [0; 32];
        let length = self.0.read_at(&mut digits, 0).ok()?;
        std::str::from_utf8(&digits[..length]).ok()?.trim().parse().ok()
    }
}

/// Kills the processes of a group and waits until each is gone. Returns how many there were.
fn end_all(directory: &Path) -> io::Result<u32> {
    let mut ended = 0;
    let freezer = directory.join(FREEZER_STATE);
    if freezer.exists() {
        write(&freezer, THAWED)?;
    }
    loop {
        let text = fs::read_to_string(directory.join("cgroup.procs"))?;
        let members: Vec<i32> =
            text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
        if members.is_empty() {
            return Ok(ended);
        }
        for pid in members {
            let Some(pid) = rustix::process::Pid::from_raw(pid) else { continue };
            // Between the reading and here it may have ended, and its number may name another process: the
            // descriptor pins one, and the group is asked again before it is killed.
            let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
                continue;
            };
            let again = fs::read_to_string(directory.join("cgroup.procs"))?;
            if !again.lines().any(|line| line.parse() == Ok(pid.as_raw_nonzero().get())) {
                continue;
            }
            match rustix::process::pidfd_send_signal(&process, rustix::process::Signal::KILL) {
                Ok(()) => ended += 1,
                Err(rustix::io::Errno::SRCH) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut watched = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
            while matches!(rustix::event::poll(&mut watched, None), Err(rustix::io::Errno::INTR)) {}
        }
    }
}

/// A number in a file of the kernel.
fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_default()
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// A limit that some kernels are built without.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::PermissionDenied => {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_by_kind_and_controller() {
        let mounts = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate
";
        let found = |kind, controller| mounted(mounts, kind, controller);
        assert_eq!(found("cgroup", Some("memory")), Some("/sys/fs/cgroup/memory".into()));
        assert_eq!(found("cgroup", Some("cpu")), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(found("cgroup", Some("pids")), None);
        assert_eq!(found("cgroup2", None), Some("/sys/fs/cgroup/unified".into()));
    }
}
