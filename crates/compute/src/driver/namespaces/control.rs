//! What the platform and a sandbox's first process say to each other, at the platform.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::unix::AsyncFd;
use tokio::sync::{oneshot, watch};

use super::link::Ended;
use super::message::{Command, Fault, PACKET_BYTES_MAX, Signal};
use super::packet;
use crate::driver::{Ends, Exit, StartError};

/// The connection to one first process.
pub(super) struct Control {
    socket: AsyncFd<OwnedFd>,
    /// Held while what it says is taken in, so that order is kept.
    heard: Mutex<Heard>,
    /// Whether its program was started.
    begun: watch::Sender<Option<Result<(), StartError>>>,
    pub(super) ends: watch::Sender<Ends>,
}

#[derive(Default)]
struct Heard {
    /// Those who wait for sockets of its network, in the order in which they asked.
    sockets: VecDeque<oneshot::Sender<Option<OwnedFd>>>,
}

/// Takes in what the first process says, until it is gone.
pub(super) async fn hear(control: Arc<Control>, mut ended: watch::Receiver<Option<Ended>>) {
    loop {
        tokio::select! {
            biased;
            readable = control.socket.readable() => {
                let Ok(mut guard) = readable else { return };
                match guard.try_io(|_| control.hear_one()) {
                    Ok(Ok(true)) | Err(_) => {}
                    Ok(Ok(false) | Err(_)) => return,
                }
            }
            _ = ended.wait_for(Option::is_some) => return,
        }
    }
}

impl Control {
    /// For a sandbox with so many companions.
    pub(super) fn new(socket: AsyncFd<OwnedFd>, companions: usize) -> Arc<Self> {
        Arc::new(Self {
            socket,
            heard: Mutex::default(),
            begun: watch::Sender::new(if companions == 0 { Some(Ok(())) } else { None }),
            ends: watch::Sender::new(Ends { program: None, companions: vec![None; companions] }),
        })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no code panics while it holds this lock")
    }

    /// Takes in one thing that its first process said; whether it can say more.
    pub(super) fn hear_one(&self) -> io::Result<bool> {
        let mut heard = self.heard();
        let Some((signal, beside)) = receive(self.socket.get_ref())? else { return Ok(false) };
        match signal {
            Signal::Begun => self.begin_with(Ok(())),
            Signal::Failed { why, fault } => self.begin_with(Err(start_error(why, fault))),
            Signal::Exited { wait_status, companion } => self.ends.send_modify(|ends| {
                let end = match companion {
                    None => Some(&mut ends.program),
                    Some(at) => ends.companions.get_mut(at as usize),
                };
                if let Some(end) = end {
                    *end = Some(exit(wait_status));
                }
            }),
            Signal::Socket => {
                if let Some(asked) = heard.sockets.pop_front() {
                    let _gone = asked.send(beside.into_iter().next());
                }
            }
            Signal::Ready => {}
        }
        Ok(true)
    }

    fn begin_with(&self, begun: Result<(), StartError>) {
        self.begun.send_replace(Some(begun));
    }

    pub(super) fn command(&self, command: Command) -> io::Result<()> {
        packet::send(self.socket.get_ref(), &command, &[])
    }

    /// A socket of its network.
    pub(super) async fn new_socket(&self, mut ended: watch::Receiver<Option<Ended>>) -> io::Result<OwnedFd> {
        let (asked, answer) = oneshot::channel();
        {
            let mut heard = self.heard();
            self.command(Command::Socket)?;
            heard.sockets.push_back(asked);
        }
        let answered = tokio::select! {
            biased;
            answer = answer => answer.ok().flatten(),
            _ = ended.wait_for(Option::is_some) => None,
        };
        answered.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    /// Waits until the sandbox has been built, and returns its listeners.
    pub(super) async fn standing(
        &self,
        mut ended: watch::Receiver<Option<Ended>>,
    ) -> Result<Vec<OwnedFd>, StartError> {
        let first = async {
            loop {
                let mut guard = self.socket.readable().await?;
                if let Ok(received) = guard.try_io(|socket| receive(socket.get_ref())) {
                    return received;
                }
            }
        };
        let first = tokio::select! {
            biased;
            first = first => first,
            ended = ended.wait_for(Option::is_some) => {
                if let Ok(Some(Ended::Refused(why))) = ended.as_deref() {
                    return Err(StartError::Host(why.clone()));
                }
                // Its words may lie there, though nobody was told of them yet.
                receive(self.socket.get_ref())
            }
        };
        match first {
            Ok(Some((Signal::Ready, listeners))) => Ok(listeners),
            Ok(Some((Signal::Failed { why, fault }, _))) => Err(start_error(why, fault)),
            Ok(Some(_) | None) => Err(StartError::Host("the sandbox ended before it stood".into())),
            Err(error) => Err(StartError::Host(error.to_string())),
        }
    }

    /// Has the program started, if it is not, and waits until it is.
    pub(super) async fn begin(&self, mut ended: watch::Receiver<Option<Ended>>) -> Result<(), StartError> {
        let mut begun = self.begun.subscribe();
        if begun.borrow_and_update().is_none() {
            self.command(Command::Begin).map_err(|error| StartError::Host(error.to_string()))?;
        }
        let begun = tokio::select! {
            biased;
            begun = begun.wait_for(Option::is_some) => begun.ok().and_then(|begun| begun.clone()),
            _ = ended.wait_for(Option::is_some) => None,
        };
        begun.unwrap_or_else(|| Err(StartError::Host("the sandbox ended before its program began".into())))
    }
}

fn start_error(why: String, fault: Fault) -> StartError {
    match fault {
        Fault::Host => StartError::Host(why),
        Fault::Program => StartError::Entrypoint(why),
        Fault::Companion => StartError::Companion(why),
    }
}

fn receive(control: &OwnedFd) -> io::Result<Option<(Signal, Vec<OwnedFd>)>> {
    packet::receive::<Signal>(control, &mut vec![0; PACKET_BYTES_MAX])
}

fn exit(wait_status: i32) -> Exit {
    let status = ExitStatus::from_raw(wait_status);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Killed,
    }
}
