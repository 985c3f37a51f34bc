//! What the first process of a sandbox does: it joins its limits, builds its root, gives up every
//! privilege, starts the function's program and waits for it. It never returns to the spawner's loop.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr,
};
use libc::sock_filter;
use rustix::process::{Pid, Resource, Rlimit, Signal as ProcessSignal, WaitId, WaitIdOptions};
use rustix::thread::UnshareFlags;

use super::cgroups::Entrance;
use super::first_process::FirstProcess;
use super::message::{Fault, Signal};
use super::mounts::{self, Step, at};
use super::network::{self, Network};
use super::{architecture, identity, interface, packet, seccomp, supervisor};
use crate::driver::{Level, SandboxSpec};

/// Open files of a sandbox's program, as on AWS.
const OPEN_FILES_MAX: u64 = 1024;
/// Wider than the binding's type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// The exit status of a first process that could not finish its work; nobody reads it.
pub(super) const STATUS_FAILED: i32 = 70;

/// Everything that the spawner hands to a new sandbox.
pub(super) struct Birth<'a> {
    pub(super) spec: &'a SandboxSpec,
    /// Its user on the host, unless that is the platform's own.
    pub(super) user: Option<u32>,
    /// Its scratch space, to be mounted.
    pub(super) scratch: Option<BorrowedFd<'a>>,
    pub(super) root_mount_point: &'a str,
    pub(super) filter: &'a [sock_filter],
    /// A network of its own, if sandboxes have them.
    pub(super) network: Option<Network>,
    /// The ports of the platform on the network that it shares otherwise.
    pub(super) ports: &'a [u16],
    pub(super) level: Level,
    pub(super) entrance: Entrance,
    /// To the platform.
    pub(super) control: OwnedFd,
    /// Standard output and error.
    pub(super) output: OwnedFd,
    /// Those of its companions, if it has any.
    pub(super) companion_output: Option<OwnedFd>,
    /// `/dev/null`.
    pub(super) input: BorrowedFd<'a>,
    /// Hangs up when the spawner dies.
    pub(super) life: BorrowedFd<'a>,
}

/// Clones this process into new namespaces. In the parent: the child's process and a descriptor of it.
/// The child runs [`Birth`] to its end.
pub(super) fn bear(birth: &Birth<'_>) -> io::Result<(Pid, OwnedFd)> {
    let namespaces = if birth.level.has_namespaces() {
        libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS
    } else {
        0
    };
    let into = match &birth.entrance {
        Entrance::Born(group) => Some(group.as_raw_fd()),
        Entrance::Walks(_) | Entrance::None => None,
    };
    match clone(namespaces, into)? {
        Some(born) => Ok(born),
        None if birth.level.has_namespaces() => live(birth),
        None => supervisor::live(birth, birth.level),
    }
}

/// `fork` with namespaces; `None` in the child.
fn clone(namespaces: i32, group: Option<RawFd>) -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut descriptor: RawFd = -1;
    // SAFETY: a `clone_args` of zeros is valid.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = namespaces as u64 | libc::CLONE_PIDFD as u64;
    arguments.pidfd = &raw mut descriptor as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = group {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = group as u64;
    }
    // SAFETY: without `CLONE_VM` the child is a copy of this process, which has one thread only, so that no
    // lock is held by another; `arguments` is as long as is said, and `descriptor` outlives the call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, std::mem::size_of::<libc::clone_args>())
    };
    let pid = if pid < 0 && group.is_none() && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS)
    {
        // What forbids namespaces in containers cannot look into the arguments of the newer call, and denies that it is.
        let flags = i64::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD);
        // SAFETY: as above; the kernel stores the descriptor where the newer call would.
        unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut descriptor, 0, 0) }
    } else {
        pid
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let Some(pid) = Pid::from_raw(pid as i32) else { return Ok(None) };
    // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
    Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(descriptor) })))
}

/// Whether this host makes the namespaces of a sandbox, with their mounts: tries it in a process of its own.
pub(crate) fn try_namespaces(is_root: bool) -> io::Result<()> {
    let user = if is_root { 0 } else { libc::CLONE_NEWUSER };
    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let Some((_, process)) = clone(user | namespaces | libc::CLONE_NEWNET, None)? else {
        // The child of a process that may have threads: it makes system calls only.
        exit(try_mounts());
    };
    let ended = loop {
        match rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED) {
            Err(rustix::io::Errno::INTR) => {}
            ended => break ended?,
        }
    };
    match ended.and_then(|status| status.exit_status()) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(number)),
        None => Err(io::Error::other("the kernel ended the process that tried")),
    }
}

/// The number of the kernel's error, if any. Neither allocates nor locks.
fn try_mounts() -> i32 {
    let private = libc::MS_PRIVATE | libc::MS_REC;
    let none = std::ptr::null();
    // SAFETY: the strings are terminated and live as long as the program; the call takes no data.
    let made = unsafe {
        libc::mount(none, c"/".as_ptr(), none, private, std::ptr::null()) == 0
            && libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null()) == 0
    };
    if made { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(STATUS_FAILED) }
}

fn live(birth: &Birth<'_>) -> ! {
    if let Err(why) = settle(birth) {
        fail(birth, why, Fault::Host);
    }
    let outlets = birth.network.as_ref().map(Network::outlets).unwrap_or_default();
    // The kernel ends all others with it.
    let (confine, end_others) = (&|| Ok(()), &|| {});
    FirstProcess { birth, outlets: &outlets, confine, end_others, ends_in_order: false }.live()
}

pub(super) fn fail(birth: &Birth<'_>, why: String, fault: Fault) -> ! {
    let _ = packet::send(&birth.control, &Signal::Failed { why, fault }, &[]);
    exit(STATUS_FAILED)
}

fn settle(birth: &Birth<'_>) -> Step<()> {
    if let Entrance::Walks(doors) = &birth.entrance {
        for door in doors {
            at(|| "join the control group".into(), rustix::io::write(door, b"0"))?;
        }
    }
    keep_only(birth);
    if let Some(network) = &birth.network {
        at(|| "join the network namespace".into(), network::join(&network.namespace))?;
    }
    if birth.spec.egress {
        at(|| "open the way out".into(), interface::open_way_out())?;
    }
    mounts::enter(birth.root_mount_point, &birth.spec.root, birth.scratch)?;
    at(|| "name the host".into(), rustix::system::sethostname(b"sandbox"))?;
    // SAFETY: only the view of control groups changes, for this process and those to come.
    at(|| "hide the control groups".into(), unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP)
    })?;
    redirect(birth, &birth.output)?;
    at(|| "begin a session".into(), rustix::process::setsid())?;
    limit_resources(birth)?;
    identity::become_nobody(birth.user)?;
    limit_processes(birth.spec.processes_max)?;
    die_with_spawner(birth, ProcessSignal::KILL)?;
    at(|| "enter /".into(), rustix::process::chdir(birth.spec.directory.as_str()))?;
    restrict_files()?;
    at(|| "filter system calls".into(), seccomp::install(birth.filter))
}

/// Closes what the spawner has open for others.
pub(super) fn keep_only(birth: &Birth<'_>) {
    let mut kept = vec![
        birth.control.as_raw_fd(),
        birth.output.as_raw_fd(),
        birth.input.as_raw_fd(),
        birth.life.as_raw_fd(),
    ];
    kept.extend(birth.companion_output.as_ref().map(AsRawFd::as_raw_fd));
    kept.extend(birth.scratch.map(|scratch| scratch.as_raw_fd()));
    if let Some(network) = &birth.network {
        kept.push(network.namespace.as_raw_fd());
        kept.extend(network.outlets().iter().map(AsRawFd::as_raw_fd));
    }
    kept.sort_unstable();
    let mut from = 0;
    for descriptor in kept {
        close_range(from, descriptor as u32);
        from = descriptor as u32 + 1;
    }
    close_range(from, u32::MAX);
}

pub(super) fn redirect(birth: &Birth<'_>, output: &OwnedFd) -> Step<()> {
    for (from, to) in [(birth.input.as_raw_fd(), 0), (output.as_raw_fd(), 1), (output.as_raw_fd(), 2)] {
        // SAFETY: both are plain numbers to the kernel; what 0 to 2 were before is owned by nobody.
        if unsafe { libc::dup2(from, to) } < 0 {
            return Err(format!("redirect output: {}", io::Error::last_os_error()));
        }
    }
    Ok(())
}

pub(super) fn limit_resources(birth: &Birth<'_>) -> Step<()> {
    limit(Resource::Nofile, OPEN_FILES_MAX)?;
    limit(Resource::Core, 0)?;
    if matches!(birth.entrance, Entrance::None) {
        // Each process by itself, where no group bounds them all.
        limit(Resource::Data, birth.spec.memory_bytes)?;
    }
    Ok(())
}

/// Comes after the change of the user: it is that user's processes that are counted.
pub(super) fn limit_processes(processes_max: u32) -> Step<()> {
    limit(Resource::Nproc, u64::from(processes_max))
}

fn limit(resource: Resource, most: u64) -> Step<()> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    at(|| "limit resources".into(), rustix::process::setrlimit(resource, limit))
}

/// Comes after the change of the user, which forgets the wish.
pub(super) fn die_with_spawner(birth: &Birth<'_>, by: ProcessSignal) -> Step<()> {
    at(|| "die with the spawner".into(), rustix::process::set_parent_process_death_signal(Some(by)))?;
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut watched = [rustix::event::PollFd::new(&birth.life, rustix::event::PollFlags::IN)];
    let hung_up = at(|| "look after the spawner".into(), rustix::event::poll(&mut watched, Some(&now)))?;
    if hung_up > 0 { Err("the spawner is gone".into()) } else { Ok(()) }
}

/// A second fence behind the mounts, where the kernel has one: nothing but scratch space and the harmless
/// devices can be written, whatever the mounts say, and no signal or abstract socket leaves the sandbox.
fn restrict_files() -> Step<()> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let all = AccessFs::from_all(abi);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let fence = || -> Result<(), landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .scope(landlock::Scope::from_all(abi))?
            .create()?;
        for (path, access) in
            [("/", read), ("/tmp", all), ("/dev", device), ("/proc", read | AccessFs::WriteFile)]
        {
            if let Ok(directory) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(directory, access))?;
            }
        }
        rules.restrict_self().map(drop)
    };
    at(|| "restrict files".into(), fence())
}

/// Becomes the program, or says why not.
pub(super) fn exec(command: &[String], variables: &[(String, String)]) -> String {
    let text =
        |text: String| CString::new(text).map_err(|_| "a word or a variable contains a NUL byte".to_owned());
    let words = command.iter().cloned().map(text).collect::<Result<Vec<_>, _>>();
    let variables = variables.iter().map(|(name, value)| text(format!("{name}={value}"))).collect();
    let (words, variables): (Vec<CString>, Vec<CString>) = match (words, variables) {
        (Ok(words), Ok(variables)) => (words, variables),
        (Err(why), _) | (_, Err(why)) => return why,
    };
    let pointers = |strings: &[CString]| {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (arguments, environment) = (pointers(&words), pointers(&variables));
    let Some(program) = words.first() else { return "there is no program".into() };
    // SAFETY: the default action takes no handler. Rust's own start-up had set this signal to be ignored,
    // which a program would inherit.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // That the platform does without large pages is its own choice. Said last, as what is touched afterwards would get one.
    let _unknown = rustix::thread::disable_transparent_huge_pages(false);
    // SAFETY: the program is a terminated string, and both arrays end with a null pointer and point to
    // terminated strings that live until the call, which does not return on success.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    let error = io::Error::last_os_error();
    let shown = program.to_string_lossy();
    match architecture::foreign(&shown).filter(|_| error.raw_os_error() == Some(libc::ENOEXEC)) {
        Some(foreign) => format!(
            "fork/exec {shown}: exec format error: it is built for {foreign}, and this host is {}",
            architecture::HOST
        ),
        None => format!("fork/exec {shown}: {}", plain(&error)),
    }
}

/// The kernel's words, as AWS shows them: without its number, in small letters.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

pub(super) fn close(descriptor: RawFd) {
    // SAFETY: the process owns nothing by this number that it uses afterwards.
    unsafe { libc::close(descriptor) };
}

/// Closes `from..to`.
fn close_range(from: u32, to: u32) {
    if from < to {
        // SAFETY: what is closed belongs to the spawner's copies, which this process never touches again:
        // it leaves by `_exit`, without running destructors.
        unsafe { libc::syscall(libc::SYS_close_range, from, to - 1, 0) };
    }
}

pub(super) fn exit(status: i32) -> ! {
    // SAFETY: ends this process at once; nothing of the spawner's, which it is a copy of, is run.
    unsafe { libc::_exit(status) }
}

/// The version of landlock that the kernel has.
pub(crate) fn landlock_version() -> Option<u32> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no memory, makes nothing and returns a number.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).ok()
}
