//! The life of a sandbox's first process once it has settled: it starts the companions and the program, reaps what
//! ends, tells the platform, and does the little that the platform asks of it.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, Signal as ProcessSignal, WaitOptions};

use super::child::{self, Birth, STATUS_FAILED};
use super::message::{COMMAND_BYTES_MAX, Command, Fault, Signal};
use super::mounts::{Step, at};
use super::packet;

/// The stack on which a process becomes a program: a few times what that takes.
const PROGRAM_STACK_BYTES: usize = 256 * 1024;
/// What of a program's failure is told.
const WHY_BYTES_MAX: usize = 512;
/// First byte of what a program that was not executed leaves behind.
const OURS: u8 = b'h';
const ITS_OWN: u8 = b'e';

/// A first process, and what depends on the level of isolation.
pub(super) struct FirstProcess<'a> {
    pub(super) birth: &'a Birth<'a>,
    /// What it passes out when the sandbox stands.
    pub(super) outlets: &'a [BorrowedFd<'a>],
    /// What a program's process gives up before it becomes the program, if this one has not given it up already.
    pub(super) confine: &'a dyn Fn() -> Step<()>,
    /// Ends what is left, if the kernel does not when this process ends.
    pub(super) end_others: &'a dyn Fn(),
    /// Whether SIGTERM ends it, as it must end others first. Where the kernel ends them, nobody inside may have it so.
    pub(super) ends_in_order: bool,
}

/// Which of the programs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Program,
    Companion(usize),
}

/// What runs.
#[derive(Default)]
struct Running {
    program: Option<Pid>,
    program_ended: bool,
    /// Those that have not ended.
    companions: Vec<Option<Pid>>,
}

impl FirstProcess<'_> {
    /// Never returns to the spawner's loop.
    pub(super) fn live(self) -> ! {
        let signals = match at(|| "listen for signals".into(), listen_for(&self.awaited())) {
            Ok(signals) => signals,
            Err(why) => child::fail(self.birth, why, Fault::Host),
        };
        let mut running = Running::default();
        let companions = &self.birth.spec.companions;
        let parts = (0..companions.len()).map(Part::Companion);
        let parts = parts.chain(companions.is_empty().then_some(Part::Program));
        for part in parts {
            match (self.execute(part), part) {
                (Ok(pid), Part::Program) => running.program = Some(pid),
                (Ok(pid), Part::Companion(_)) => running.companions.push(Some(pid)),
                (Err((why, fault)), _) => {
                    (self.end_others)();
                    child::fail(self.birth, why, fault)
                }
            }
        }
        if packet::send(&self.birth.control, &Signal::Ready, self.outlets).is_err() {
            self.end(STATUS_FAILED);
        }
        // The listeners must end with the platform's copies.
        self.outlets.iter().for_each(|outlet| child::close(outlet.as_raw_fd()));
        if let Some(output) = &self.birth.companion_output {
            child::close(output.as_raw_fd());
        }
        if running.program.is_some() {
            self.let_go_of_output();
        }
        self.attend(running, &signals)
    }

    /// The signals that it waits for.
    fn awaited(&self) -> libc::sigset_t {
        // SAFETY: a set of zeros is valid, and it is emptied and filled as its functions want it.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            if self.ends_in_order {
                libc::sigaddset(&raw mut set, libc::SIGTERM);
            }
            set
        }
    }

    /// The output must end with the program's copies.
    fn let_go_of_output(&self) {
        [0, 1, 2, self.birth.output.as_raw_fd()].into_iter().for_each(child::close);
    }

    fn end(&self, status: i32) -> ! {
        (self.end_others)();
        child::exit(status)
    }

    fn attend(&self, mut running: Running, signals: &OwnedFd) -> ! {
        let mut is_heard = true;
        loop {
            let (mut died, mut asked) = (true, false);
            let mut watched =
                [PollFd::new(signals, PollFlags::IN), PollFd::new(&self.birth.control, PollFlags::IN)];
            let watched = &mut watched[..if is_heard { 2 } else { 1 }];
            if rustix::event::poll(watched, None).is_ok() {
                died = !watched[0].revents().is_empty();
                asked = watched.get(1).is_some_and(|control| !control.revents().is_empty());
            }
            if died {
                if is_told_to_end(signals) {
                    self.end(0);
                }
                self.reap(&mut running);
            }
            if asked {
                let mut buffer = [0; COMMAND_BYTES_MAX];
                match packet::receive::<Command>(&self.birth.control, &mut buffer) {
                    Ok(Some((command, _))) => self.obey(command, &mut running),
                    // The platform forgets a sandbox by ending it.
                    Ok(None) | Err(_) => is_heard = false,
                }
            }
        }
    }

    /// Reaps what has ended, orphans included. Ends with the last program, or with the only one.
    fn reap(&self, running: &mut Running) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let companion = running.companions.iter().position(|companion| *companion == Some(pid));
            if let Some(at) = companion {
                running.companions[at] = None;
            } else if running.program == Some(pid) {
                (running.program, running.program_ended) = (None, true);
            } else {
                continue;
            }
            let is_last = running.program_ended && running.companions.iter().all(Option::is_none);
            if is_last {
                (self.end_others)();
            }
            let (wait_status, companion) = (status.as_raw(), companion.map(|at| at as u32));
            let _ = packet::send(&self.birth.control, &Signal::Exited { wait_status, companion }, &[]);
            if is_last {
                child::exit(0);
            }
        }
    }

    fn obey(&self, command: Command, running: &mut Running) {
        match command {
            Command::Begin if running.program.is_none() && !running.program_ended => {
                let told = match self.execute(Part::Program) {
                    Ok(pid) => {
                        running.program = Some(pid);
                        Signal::Begun
                    }
                    Err((why, fault)) => Signal::Failed { why, fault },
                };
                self.let_go_of_output();
                let _ = packet::send(&self.birth.control, &told, &[]);
            }
            Command::Begin => {}
            Command::Terminate | Command::Kill => {
                let signal = if command == Command::Kill { ProcessSignal::KILL } else { ProcessSignal::TERM };
                if let Some(program) = running.program {
                    let _ = rustix::process::kill_process(program, signal);
                }
            }
            Command::Socket => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let made = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
                let socket = made.as_ref().ok().map(std::os::fd::AsFd::as_fd);
                let _ = packet::send(&self.birth.control, &Signal::Socket, socket.as_slice());
            }
        }
    }

    /// Forks and executes a program. Returns once it is executed, or why it is not, and whose fault that is: the pipe
    /// between the two closes on execution.
    fn execute(&self, part: Part) -> Result<Pid, (String, Fault)> {
        let ours = |error: io::Error| (format!("start the program: {error}"), Fault::Host);
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| ours(error.into()))?;
        let mut stack = Vec::<u8>::with_capacity(PROGRAM_STACK_BYTES);
        let end = stack.spare_capacity_mut().as_mut_ptr_range().end.map_addr(|address| address & !15);
        let becoming = Becoming { first: self, part, told: &write };
        // Copying this process's memory would take longer than all that is done there; but what gives up privileges there
        // changes what belongs to the memory.
        let shared = if self.birth.level.has_namespaces() { libc::CLONE_VM | libc::CLONE_VFORK } else { 0 };
        // SAFETY: this process has one thread only. Either the new one has a copy of all, or this one stands still until the
        // other has executed or ended, so that stack, argument and all else that they share are one's alone at any
        // time. The stack grows down from its end, which is aligned to 16 bytes. The newer call is refused by the filter
        // that this process may be under.
        let pid = unsafe {
            libc::clone(
                become_part,
                end.cast(),
                shared | libc::SIGCHLD,
                (&raw const becoming).cast_mut().cast(),
            )
        };
        if pid < 0 {
            return Err(ours(io::Error::last_os_error()));
        }
        let pid = Pid::from_raw(pid).expect("`clone` returns in this process only");
        if shared != 0 {
            // The program has set it for the memory of both.
            let _unknown = rustix::thread::disable_transparent_huge_pages(true);
        }
        drop(write);
        let mut why = [0; WHY_BYTES_MAX];
        let length = rustix::io::read(&read, &mut why[..]).map_err(|error| ours(error.into()))?;
        let fault = match part {
            Part::Program => Fault::Program,
            Part::Companion(_) => Fault::Companion,
        };
        match &why[..length] {
            [] => Ok(pid),
            [kind, why @ ..] => Err((
                String::from_utf8_lossy(why).into_owned(),
                if *kind == ITS_OWN { fault } else { Fault::Host },
            )),
        }
    }

    /// Returns why a program cannot be executed, or what was refused before it could be tried.
    fn become_program(&self, part: Part) -> Step<String> {
        at(|| "take signals again".into(), mask(libc::SIG_UNBLOCK, &self.awaited()))?;
        let spec = self.birth.spec;
        let Part::Companion(index) = part else {
            (self.confine)()?;
            return Ok(child::exec(&spec.command, &spec.variables));
        };
        if let Some(output) = &self.birth.companion_output {
            child::redirect(self.birth, output)?;
        }
        (self.confine)()?;
        let companion = &spec.companions[index];
        let directory = companion.directory.as_str();
        at(|| format!("enter {directory}"), rustix::process::chdir(directory))?;
        Ok(child::exec(&companion.command, &companion.variables))
    }
}

/// What the process that becomes a program is told.
struct Becoming<'a> {
    first: &'a FirstProcess<'a>,
    part: Part,
    /// Where it says why it did not.
    told: &'a OwnedFd,
}

extern "C" fn become_part(becoming: *mut libc::c_void) -> i32 {
    // SAFETY: it is what `execute` has on its stack: a copy of it, or itself while it stands still.
    let Becoming { first, part, told } = unsafe { &*becoming.cast::<Becoming<'_>>() };
    let (kind, why) = match first.become_program(*part) {
        Ok(why) => (ITS_OWN, why),
        Err(why) => (OURS, why),
    };
    let _ = rustix::io::write(told, &[&[kind], why.as_bytes()].concat());
    child::exit(STATUS_FAILED)
}

fn mask(how: i32, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set lives until the call returns, and no old one is asked for.
    match unsafe { libc::sigprocmask(how, set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn listen_for(set: &libc::sigset_t) -> io::Result<OwnedFd> {
    mask(libc::SIG_BLOCK, set)?;
    // SAFETY: the set lives until the call returns, and a new descriptor is asked for.
    let descriptor = unsafe { libc::signalfd(-1, set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Takes the signals that have come; whether one of them is to end this process.
fn is_told_to_end(signals: &OwnedFd) -> bool {
    const LENGTH: usize = size_of::<libc::signalfd_siginfo>();
    let mut told = false;
    let mut one = [0; LENGTH];
    while let Ok(LENGTH) = rustix::io::read(signals, &mut one[..]) {
        // Its number comes first.
        let number = u32::from_ne_bytes([one[0], one[1], one[2], one[3]]);
        told |= number == libc::SIGTERM as u32;
    }
    told
}
