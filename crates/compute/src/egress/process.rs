//! The process of the way out: hears from the platform which sandboxes there are, and serves them in turn, on
//! one thread. It ends when the platform does. It has a clock of its own, for it is no part of what is simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::time::ClockId;

use super::confine::confine;
use super::guest::{Guest, Surroundings, Turn};
use super::message::{Hello, PACKET_BYTES_MAX, Request};
use crate::driver::namespaces::packet;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 256;
/// How often what nobody uses is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const TOKEN_PLATFORM: u64 = u64::MAX;

/// Runs it; standard input is the socket to the platform. Returns the exit status.
pub(crate) fn run() -> i32 {
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("apus: the way out of sandboxes ends: {error}");
            1
        }
    }
}

fn serve() -> io::Result<()> {
    // A terminal's interrupt is for the platform.
    let _ = rustix::process::setsid();
    let platform = io::stdin().as_fd().try_clone_to_owned()?;
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    let (hello, _) = packet::receive::<Hello>(&platform, &mut buffer)?
        .ok_or_else(|| io::Error::other("the platform left before it said how to work"))?;
    confine(hello.user)?;
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&events, &platform, epoll::EventData::new_u64(TOKEN_PLATFORM), epoll::EventFlags::IN)?;
    let around = Surroundings::new(events, hello.platform_ports);
    let sweep_at = now() + SWEEP_EVERY;
    Server { platform, around, guests: BTreeMap::new(), unfinished: BTreeSet::new(), sweep_at }
        .serve(&mut buffer)
}

struct Server {
    platform: OwnedFd,
    around: Surroundings,
    guests: BTreeMap<u32, Guest>,
    /// Who wants another turn, whatever happens.
    unfinished: BTreeSet<u32>,
    sweep_at: Duration,
}

impl Server {
    fn serve(mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            let patience = self.patience();
            let patience =
                Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: patience.subsec_nanos().into() };
            events.clear();
            match epoll::wait(
                &self.around.events,
                rustix::buffer::spare_capacity(&mut events),
                Some(&patience),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let now = now();
            let mut due = std::mem::take(&mut self.unfinished);
            for event in &events {
                let token = event.data.u64();
                if token == TOKEN_PLATFORM {
                    if !self.listen(buffer, now)? {
                        return Ok(());
                    }
                    continue;
                }
                let (id, flow) = ((token >> 32) as u32, token as u32);
                if let Some(guest) = self.guests.get_mut(&id) {
                    if flow != 0 {
                        guest.note(flow, event.flags, &mut self.around, now);
                    }
                    due.insert(id);
                }
            }
            let late =
                |(id, guest): (&u32, &mut Guest)| (guest.rest(now) == Some(Duration::ZERO)).then_some(*id);
            due.extend(self.guests.iter_mut().filter_map(late));
            if now >= self.sweep_at {
                self.sweep_at = now + SWEEP_EVERY;
                for (id, guest) in &mut self.guests {
                    guest.sweep(now);
                    due.insert(*id);
                }
            }
            for id in due {
                self.turn(id, now);
            }
        }
    }

    fn turn(&mut self, id: u32, now: Duration) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        match guest.turn(&mut self.around, now) {
            Turn::Done => {}
            Turn::Unfinished => {
                self.unfinished.insert(id);
            }
            Turn::Gone => self.close(id),
        }
    }

    /// How long nothing needs to be done.
    fn patience(&mut self) -> Duration {
        if !self.unfinished.is_empty() {
            return Duration::ZERO;
        }
        let now = now();
        let sweep = self.sweep_at.saturating_sub(now);
        self.guests.values_mut().filter_map(|guest| guest.rest(now)).fold(sweep, Duration::min)
    }

    /// One packet of the platform; whether the platform is still there.
    fn listen(&mut self, buffer: &mut [u8], now: Duration) -> io::Result<bool> {
        let (request, beside) = match packet::receive::<Request>(&self.platform, buffer) {
            Ok(Some(received)) => received,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        };
        match request {
            Request::Open { id, rules } => {
                let device = beside.into_iter().next();
                let device = device.ok_or_else(|| io::Error::other("a sandbox came without its device"))?;
                match Guest::new(id, rules, device, &self.around, now) {
                    Ok(guest) => {
                        self.guests.insert(id, guest);
                        self.unfinished.insert(id);
                    }
                    Err(error) => eprintln!("apus: a sandbox has no way out: {error}"),
                }
            }
            Request::Close { id } => self.close(id),
        }
        Ok(true)
    }

    fn close(&mut self, id: u32) {
        if let Some(guest) = self.guests.remove(&id) {
            guest.end(&self.around);
        }
    }
}

/// Since the machine was started.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
