//! The first process of a sandbox without namespaces, at the levels "container" and "none": it starts the function's
//! program as another process of this host, restricted by rules, and ends whatever comes of it. It is not pid 1 of
//! anything, so that the kernel ends nothing with it; orphans come to it instead.

use std::fs;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use rustix::process::{Pid, Signal as ProcessSignal, WaitOptions};

use super::child::{self, Birth};
use super::first_process::FirstProcess;
use super::message::Fault;
use super::mounts::{Step, at};
use super::{identity, seccomp};
use crate::driver::{Level, RootEntry};

/// Lives the whole life of the first process. Never returns to the spawner's loop.
pub(super) fn live(birth: &Birth<'_>, level: Level) -> ! {
    if let Err(why) = settle(birth) {
        child::fail(birth, why, Fault::Host);
    }
    let (confine, end_others) = (&|| confine(birth, level), &|| end_children(|_| true));
    FirstProcess { birth, outlets: &[], confine, end_others, ends_in_order: true }.live()
}

fn settle(birth: &Birth<'_>) -> Step<()> {
    child::keep_only(birth);
    child::redirect(birth, &birth.output)?;
    at(|| "begin a session".into(), rustix::process::setsid())?;
    at(|| "adopt orphans".into(), adopt_orphans())?;
    // Not at once, as others have to end first.
    child::die_with_spawner(birth, ProcessSignal::TERM)
}

/// Whatever descends from this process and loses its parent becomes a child of this process.
pub(super) fn adopt_orphans() -> io::Result<()> {
    // The process that is named does not matter, but that one is.
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// What the program's process gives up before it becomes the program.
fn confine(birth: &Birth<'_>, level: Level) -> Step<()> {
    at(|| "begin a session".into(), rustix::process::setsid())?;
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
