//! The first process of a sandbox without namespaces, at the levels "container" and "none": it starts the function's
//! program as another process of this host, restricted by rules, and ends whatever comes of it. It is not pid 1 of
//! anything, so that the kernel ends nothing with it; orphans come to it instead.
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use rustix::process::{Pid, Signal as ProcessSignal, WaitOptions};

use super::child::{self, Birth, STATUS_FAILED};
use super::message::Signal;
use super::mounts::{Step, at};
use super::{identity, packet, seccomp};
use crate::driver::{Level, RootEntry};

/// What of a program's failure is told.
const WHY_BYTES_MAX: usize = 512;
/// First byte of what a program that was not executed leaves behind.
const OURS: u8 = b'h';
const ITS_OWN: u8 = b'e';

/// Lives the whole life of the first process. Never returns to the spawner's loop.
pub(super) fn live(birth: &Birth<'_>, level: Level) -> ! {
    let begun = settle(birth).map_err(|why| (why, false)).and_then(|()| begin_program(birth, level));
    let program = match begun {
        Ok(program) => program,
        Err((why, entrypoint)) => child::fail(birth, why, entrypoint),
    };
    if packet::send(&birth.control, &Signal::Ready, &[]).is_err() {
        end_children(|_| true);
        child::exit(STATUS_FAILED);
    }
    // The output must end with the program's copies.
    for descriptor in [0, 1, 2, birth.output.as_raw_fd()] {
        child::close(descriptor);
    }
    let wait_status = wait(program);
    end_children(|_| true);
    if let Some(wait_status) = wait_status {
        let _ = packet::send(&birth.control, &Signal::Exited { wait_status }, &[]);
    }
    child::exit(0)
}

fn settle(birth: &Birth<'_>) -> Step<()> {
    child::keep_only(birth);
    child::redirect(birth)?;
    at(|| "begin a session".into(), rustix::process::setsid())?;
    at(|| "adopt orphans".into(), adopt_orphans())?;
    at(|| "listen for signals".into(), block(true))?;
    // Not at once, as others have to end first.
    child::die_with_spawner(birth, ProcessSignal::TERM)
}

/// Whatever descends from this process and loses its parent becomes a child of this process.
pub(super) fn adopt_orphans() -> io::Result<()> {
    // The process that is named does not matter, but that one is.
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The signals that this process waits for.
fn awaited() -> libc::sigset_t {
    // SAFETY: a set of zeros is valid, and it is emptied and filled as its functions want it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        set
    }
}

fn block(blocked: bool) -> io::Result<()> {
    let how = if blocked { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    let set = awaited();
    // SAFETY: the set lives until the call returns, and no old one is asked for.
    match unsafe { libc::sigprocmask(how, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until the program ends, or until this process is told to end.
fn wait(program: Pid) -> Option<i32> {
    let set = awaited();
    loop {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == program {
                return Some(status.as_raw());
            }
        }
        // SAFETY: the set lives until the call returns, and nothing else is asked for.
        let signal = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
        if signal == libc::SIGTERM {
            return None;
        }
    }
}

/// Forks and executes the program. Returns once it is executed, or why it is not, and whether that is its own fault.
fn begin_program(birth: &Birth<'_>, level: Level) -> Result<Pid, (String, bool)> {
    let ours = |error: io::Error| (format!("start the program: {error}"), false);
    let (read, write) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| ours(error.into()))?;
    // SAFETY: the child is a copy of this process, which has one thread only, so that no lock is held by another.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(ours(io::Error::last_os_error()));
    }
    let Some(pid) = Pid::from_raw(pid) else {
        let (kind, why) = match confine(birth, level) {
            Ok(()) => (ITS_OWN, child::exec(birth.spec)),
            Err(why) => (OURS, why),
        };
        let _ = rustix::io::write(&write, &[&[kind], why.as_bytes()].concat());
        child::exit(STATUS_FAILED)
    };
    drop(write);
    let mut why = [0; WHY_BYTES_MAX];
    let length = rustix::io::read(&read, &mut why[..]).map_err(|error| ours(error.into()))?;
    match &why[..length] {
        [] => Ok(pid),
        [kind, why @ ..] => Err((String::from_utf8_lossy(why).into_owned(), *kind == ITS_OWN)),
    }
}

/// What the program's process gives up before it becomes the program.
fn confine(birth: &Birth<'_>, level: Level) -> Step<()> {
    at(|| "begin a session".into(), rustix::process::setsid())?;
    at(|| "take signals again".into(), block(false))?;
    child::limit_resources(birth)?;
    identity::become_user(birth.user)?;
    child::limit_processes(birth.spec.processes_max)?;
    at(
        || "die with the first process".into(),
        rustix::process::set_parent_process_death_signal(Some(ProcessSignal::KILL)),
    )?;
    at(|| "refuse new privileges".into(), rustix::thread::set_no_new_privs(true))?;
    at(|| format!("enter {}", birth.spec.directory), rustix::process::chdir(birth.spec.directory.as_str()))?;
    let fences = fence(&birth.spec.root, birth.spec.egress, birth.ports)
        .and_then(|()| at(|| "filter system calls".into(), seccomp::install(birth.filter)));
    // What the host cannot do was named when the platform started.
    if level == Level::None { Ok(()) } else { fences }
}

/// Lets it see and touch the entries of its root only; without a way out, connect to the platform only.
fn fence(root: &[RootEntry], egress: bool, ports: &[u16]) -> Step<()> {
    let made = || -> Result<(), RulesetError> {
        let abi = ABI::V6;
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))?;
        if !egress {
            rules = rules.handle_access(AccessNet::ConnectTcp)?;
        }
        let mut rules = rules.scope(landlock::Scope::from_all(abi))?.create()?;
        for entry in root {
            rules = allow(rules, entry, abi)?;
        }
        for port in ports.iter().filter(|_| !egress) {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        rules.restrict_self().map(drop)
    };
    at(|| "restrict files".into(), made())
}

fn allow(rules: RulesetCreated, entry: &RootEntry, abi: ABI) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(abi);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let node;
    let (path, access) = match entry {
        RootEntry::Bind { source, .. } => (source.as_str(), read),
        RootEntry::BindFile { source, .. } => (source.as_str(), AccessFs::from_file(abi) & read),
        RootEntry::Scratch { path, .. } => (path.as_str(), AccessFs::from_all(abi)),
        RootEntry::Device { name } => {
            node = format!("/dev/{name}");
            (node.as_str(), device)
        }
        RootEntry::Processes => ("/proc", read | AccessFs::WriteFile),
        _ => return Ok(rules),
    };
    match PathFd::new(path) {
        Ok(place) => rules.add_rule(PathBeneath::new(place, access)),
        // What is not there cannot be opened either.
        Err(_) => Ok(rules),
    }
}

/// Ends the children of this process that are to be ended and all that descends from them, until nothing is left: what
/// loses its parent meanwhile comes to this process.
pub(super) fn end_children(to_be_ended: impl Fn(Pid) -> bool) {
    loop {
        let doomed = descendants(&to_be_ended);
        if doomed.is_empty() {
            return;
        }
        for pid in &doomed {
            let _ = rustix::process::kill_process(*pid, ProcessSignal::KILL);
        }
        for pid in doomed {
            // Fails for those that are not yet children of this process; the next turn sees them.
            while matches!(
                rustix::process::waitpid(Some(pid), WaitOptions::empty()),
                Err(rustix::io::Errno::INTR)
            ) {}
        }
    }
}

/// Those children of this process, and whatever descends from them.
fn descendants(to_be_ended: impl Fn(Pid) -> bool) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let with_parent = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<i32>().ok()?))
    };
    let parents: Vec<(i32, i32)> = numbers.filter_map(with_parent).collect();
    let children = |parent: i32| parents.iter().filter(move |pair| pair.1 == parent).map(|pair| pair.0);
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found: Vec<i32> =
        children(own).filter(|pid| Pid::from_raw(*pid).is_some_and(&to_be_ended)).collect();
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children(pid));
        at += 1;
    }
    found.into_iter().filter_map(Pid::from_raw).collect()
}
