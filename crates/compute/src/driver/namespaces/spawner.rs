//! The spawner: a small process with one thread that the platform starts once, which clones sandboxes,
//! reaps them and removes their control groups. It ends when the platform does, and its sandboxes with it.
//! It knows nothing of functions.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use libc::sock_filter;
use rustix::event::{Timespec, epoll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal as ProcessSignal, WaitId, WaitIdOptions};

use super::cgroups::{Entrance, Group, Groups, Limits};
use super::child::{self, Birth};
use super::message::{Hello, PACKET_BYTES_MAX, Report, Request};
use super::network::{Network, NetworkMaker};
use super::reserve::{Made, Reserve};
use super::scratch::Scratch;
use super::{identity, packet, seccomp, supervisor};
use crate::driver::{Level, SandboxSpec};
use crate::egress::{self, EGRESS_ARGUMENT};

/// The name under which the platform's program starts a spawner: its first argument.
pub const SPAWNER_ARGUMENT: &str = "__spawner";

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 64;
const TOKEN_PLATFORM: u64 = 0;
/// How long nothing must happen before something is made ready: it would compete with what starts.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// How long a memory limit may stay raised after the scratch space that raised it was given back.
const LOWERING: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Runs the spawner, or the way out of sandboxes, if these are its arguments, and then never returns. The first thing in `main`, before any
/// thread is started.
pub fn spawner_main(mut arguments: impl Iterator<Item = String>) {
    match arguments.nth(1).as_deref() {
        Some(SPAWNER_ARGUMENT) => {}
        Some(EGRESS_ARGUMENT) => std::process::exit(egress::process::run()),
        _ => return,
    }
    // SAFETY: by contract, descriptor 0 is the socket to the platform, and nothing else in this process, which
    // has just begun, owns it.
    let platform = unsafe { OwnedFd::from_raw_fd(0) };
    let status = match Spawner::begin(platform).and_then(Spawner::serve) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("apus: the spawner of sandboxes ends: {error}");
            1
        }
    };
    std::process::exit(status)
}

struct Spawner {
    platform: OwnedFd,
    hello: Hello,
    reserve: Reserve,
    filter: Vec<sock_filter>,
    events: OwnedFd,
    living: BTreeMap<u64, Living>,
    null: OwnedFd,
    /// Its other end is in this process only: it hangs up when this process ends.
    life: OwnedFd,
    _life_end: OwnedFd,
}

/// What the spawner does while nothing is asked of it.
#[derive(Clone, Copy)]
enum Rest {
    /// It waits whether more comes.
    Begins,
    /// It makes things ready.
    Fills,
    /// All is ready that is to be.
    Full,
}

struct Living {
    slot: u32,
    /// Its first process.
    pid: Pid,
    process: OwnedFd,
    /// What ends it: a first process without a namespace has others to end.
    end: ProcessSignal,
    group: Group,
    limits: Limits,
    memory_events: Option<OwnedFd>,
    scratch: Option<Scratch>,
    /// Whether its memory limit is raised by what is in its scratch space.
    raised: bool,
    /// Whether it was ended for needing too much memory.
    swollen: bool,
}

/// Which event of which sandbox.
fn token(id: u64, memory: bool) -> u64 {
    id << 1 | u64::from(memory)
}

impl Spawner {
    fn begin(platform: OwnedFd) -> io::Result<Self> {
        // A terminal's interrupt is for the platform, which ends its sandboxes in order.
        let _ = rustix::process::setsid();
        rustix::io::fcntl_setfd(&platform, rustix::io::FdFlags::CLOEXEC)?;
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        let (hello, _) = packet::receive::<Hello>(&platform, &mut buffer)?
            .ok_or_else(|| io::Error::other("the platform left before it said how to work"))?;
        let groups = Groups::new(super::layout(hello.level), &hello.cgroup_name, hello.hard_cpu_limits);
        groups.prepare()?;
        let has_namespaces = hello.level.has_namespaces();
        match hello.level {
            Level::Full => {}
            Level::Rootless => identity::enter_own_world()?,
            Level::Container | Level::None => supervisor::adopt_orphans()?,
        }
        let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(TOKEN_PLATFORM);
        epoll::add(&events, &platform, data, epoll::EventFlags::IN)?;
        let (life, life_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let networks = has_namespaces.then(|| NetworkMaker::new(hello.network.clone())).transpose()?;
        Ok(Self {
            reserve: Reserve::new(networks, groups, hello.spares as usize, hello.sandboxes_max),
            null: rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?,
            filter: seccomp::filter(),
            living: BTreeMap::new(),
            _life_end: life_end,
            platform,
            hello,
            events,
            life,
        })
    }

    fn serve(mut self) -> io::Result<()> {
        let served = self.serve_until_gone();
        self.end_all();
        served
    }

    fn serve_until_gone(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut rest = Rest::Begins;
        loop {
            let patience = match (rest, self.living.values().any(|living| living.raised)) {
                (Rest::Begins, _) => Some(QUIET),
                (Rest::Fills, _) => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
                (Rest::Full, true) => Some(LOWERING),
                (Rest::Full, false) => None,
            };
            events.clear();
            match epoll::wait(&self.events, rustix::buffer::spare_capacity(&mut events), patience.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            rest = match (events.is_empty(), rest) {
                (false, _) => Rest::Begins,
                (true, Rest::Begins | Rest::Fills) => self.fill(),
                (true, Rest::Full) => {
                    self.lower();
                    Rest::Full
                }
            };
            for event in &events {
                let token = event.data.u64();
                if token != TOKEN_PLATFORM {
                    self.attend(token >> 1, token & 1 == 1)?;
                } else if !self.listen(&mut buffer)? {
                    return Ok(());
                }
            }
        }
    }

    /// Lets raised limits follow when scratch space is given back, which the kernel tells nobody.
    fn lower(&mut self) {
        for living in self.living.values_mut().filter(|living| living.raised) {
            if living.needs_too_much() {
                living.swollen = true;
                living.kill();
            }
        }
    }

    /// Makes one thing ready, if something is to be.
    fn fill(&mut self) -> Rest {
        if self.reserve.make_one() { Rest::Fills } else { Rest::Full }
    }

    /// One packet of the platform; whether the platform is still there.
    fn listen(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let (request, beside) = match packet::receive::<Request>(&self.platform, buffer) {
            Ok(Some(received)) => received,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        };
        match request {
            Request::Start { id, slot, spec } => {
                if let Err(error) = self.start(id, slot, &spec, beside) {
                    self.reserve.vacate(slot);
                    self.report(&Report::Refused { id, why: error.to_string() })?;
                }
            }
            Request::Kill { id } => {
                if let Some(living) = self.living.get(&id) {
                    living.kill();
                }
            }
        }
        Ok(true)
    }

    fn start(&mut self, id: u64, slot: u32, spec: &SandboxSpec, beside: Vec<OwnedFd>) -> io::Result<()> {
        let mut beside = beside.into_iter();
        let (Some(control), Some(output)) = (beside.next(), beside.next()) else {
            return Err(io::Error::other("a sandbox needs a control socket and an output pipe"));
        };
        let ends = (control, output, beside.next());
        let network = self.reserve.network()?;
        let scratch = if self.reserve.has_networks() { Scratch::of(&spec.root)? } else { None };
        let limits = Limits {
            memory_bytes: spec.memory_bytes,
            scratch_bytes: scratch.as_ref().map_or(0, Scratch::bytes),
            cpu_milli: spec.cpu_milli,
            processes_max: spec.processes_max,
        };
        let Made { group, entrance, memory_events } = self.reserve.group(slot, limits)?;
        let born = self.bear(slot, spec, scratch.as_ref(), network, entrance, ends);
        let (pid, process) = match born {
            Ok(born) => born,
            Err(error) => {
                let _ = group.remove();
                return Err(error);
            }
        };
        let end = if self.hello.level.has_namespaces() { ProcessSignal::KILL } else { ProcessSignal::TERM };
        let living = Living {
            slot,
            pid,
            process,
            end,
            group,
            limits,
            memory_events,
            scratch,
            raised: false,
            swollen: false,
        };
        let flags =
            if living.group.tells_pressure() { epoll::EventFlags::PRI } else { epoll::EventFlags::IN };
        let watched =
            self.watch(&living.process, token(id, false), epoll::EventFlags::IN).and_then(|()| match &living
                .memory_events
            {
                Some(events) => self.watch(events, token(id, true), flags),
                None => Ok(()),
            });
        if let Err(error) = watched {
            // What cannot be watched must not run.
            living.kill();
            bury(id, &living);
            return Err(error);
        }
        self.living.insert(id, living);
        Ok(())
    }

    fn bear(
        &self,
        slot: u32,
        spec: &SandboxSpec,
        scratch: Option<&Scratch>,
        network: Option<Network>,
        entrance: Entrance,
        (control, output, companion_output): (OwnedFd, OwnedFd, Option<OwnedFd>),
    ) -> io::Result<(Pid, OwnedFd)> {
        child::bear(&Birth {
            spec,
            user: self.hello.own_users.then_some(self.hello.uid_base + slot),
            level: self.hello.level,
            ports: &spec.host_ports,
            scratch: scratch.map(Scratch::as_fd),
            root_mount_point: &self.hello.root_mount_point,
            filter: &self.filter,
            network,
            entrance,
            control,
            output,
            companion_output,
            input: self.null.as_fd(),
            life: self.life.as_fd(),
        })
    }

    fn watch(&self, descriptor: &OwnedFd, token: u64, flags: epoll::EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.events, descriptor, epoll::EventData::new_u64(token), flags)?)
    }

    fn attend(&mut self, id: u64, memory: bool) -> io::Result<()> {
        let Some(living) = self.living.get_mut(&id) else { return Ok(()) };
        if memory {
            if living.group.tells_pressure() && !living.needs_too_much() {
                return Ok(());
            }
            // Where the kernel kills, it is one process; what is left of the function is of no use.
            living.swollen = true;
            living.kill();
            return self.forget_memory_events(id);
        }
        let Some(living) = self.living.remove(&id) else { return Ok(()) };
        let report = bury(id, &living);
        self.reserve.vacate(living.slot);
        if !self.hello.level.has_namespaces() {
            // Those of a first process that was killed itself.
            supervisor::end_children(|pid| !self.living.values().any(|living| living.pid == pid));
        }
        self.report(&report)
    }

    /// One event was enough; it stays readable for the end.
    fn forget_memory_events(&self, id: u64) -> io::Result<()> {
        match self.living.get(&id).and_then(|living| living.memory_events.as_ref()) {
            Some(events) => Ok(epoll::delete(&self.events, events)?),
            None => Ok(()),
        }
    }

    fn report(&self, report: &Report) -> io::Result<()> {
        match packet::send(&self.platform, report, &[]) {
            // Its end is noticed when the socket is next read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn end_all(&mut self) {
        for living in self.living.values() {
            living.kill();
        }
        for (id, living) in std::mem::take(&mut self.living) {
            bury(id, &living);
        }
        let _ = self.reserve.sweep();
    }
}

impl Living {
    /// Ends its first process, with which the kernel ends all others.
    fn kill(&self) {
        // Under the older layout what is frozen cannot end.
        let _ = self.group.set_frozen(false);
        // That it has ended already is what was wanted.
        let _ = rustix::process::pidfd_send_signal(&self.process, self.end);
    }

    /// Whether memory is short for another reason than files in its scratch space.
    fn needs_too_much(&mut self) -> bool {
        // The event is over once its counters have been read.
        let read = self.memory_events.as_ref().map(|events| rustix::io::pread(events, &mut [0_u8; 512], 0));
        let used = self.scratch.as_ref().map_or(Ok(0), Scratch::used_bytes);
        let followed = used.and_then(|used| self.group.follow_scratch(self.limits, used));
        self.raised = matches!(followed, Ok(Some(1..)));
        match followed {
            Ok(raised) => raised.is_none(),
            // What cannot be bounded must not run; a group that is gone is its end, which is told otherwise.
            Err(_) => !matches!(read, Some(Err(rustix::io::Errno::NODEV))),
        }
    }
}

/// Waits for the first process, with which the kernel has ended all others of its namespace, and removes the
/// control group.
fn bury(id: u64, living: &Living) -> Report {
    while matches!(
        rustix::process::waitid(WaitId::PidFd(living.process.as_fd()), WaitIdOptions::EXITED),
        Err(rustix::io::Errno::INTR)
    ) {}
    // The event comes before the kernel chooses whom to kill, and there may be nobody left to choose by then.
    let event = living
        .memory_events
        .as_ref()
        .filter(|_| !living.group.tells_pressure())
        .map(|events| rustix::io::read(events, &mut [0_u8; 8]));
    let report = Report::Reaped {
        id,
        out_of_memory: living.swollen || matches!(event, Some(Ok(_))) || living.group.out_of_memory(),
        memory_peak_bytes: living.group.memory_peak_bytes(),
    };
    if let Err(error) = living.group.remove() {
        eprintln!("apus: a control group stays behind until the next start: {error}");
    }
    report
}
