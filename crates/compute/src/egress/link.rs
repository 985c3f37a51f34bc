//! The platform's side of the way out: starts the process when the first sandbox needs it, tells it of each,
//! and starts it again if it dies. Sandboxes then keep their way out, but lose the connections that they had.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use apus_env::Env;
use rustix::net::SocketFlags;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

use super::EGRESS_ARGUMENT;
use super::message::{Hello, Request};
use super::rules::EgressRules;
use crate::driver::namespaces::{packet, watched};

/// After the process died, the time until the next one: one that dies at once must not keep a processor busy.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// How the process is started.
#[derive(Clone, Debug)]
pub(crate) struct EgressConfig {
    /// The program that calls [`crate::spawner_main`] first thing.
    pub(crate) program: PathBuf,
    /// Whose way out it is, for those who look at a list of processes.
    pub(crate) run_dir: PathBuf,
    /// The user and group that it becomes, if the platform may give it one.
    pub(crate) user: Option<u32>,
    /// Ports on which the platform listens.
    pub(crate) platform_ports: Vec<u16>,
}

/// The way out of all sandboxes.
#[derive(Debug)]
pub(crate) struct Egress {
    next_id: AtomicU32,
    /// Not bounded: each sandbox, which are, is told of twice.
    notes: mpsc::UnboundedSender<Note>,
}

/// A sandbox's way out, for as long as this lives.
#[derive(Debug)]
pub(crate) struct WayOut {
    id: u32,
    notes: mpsc::UnboundedSender<Note>,
}

#[derive(Debug)]
enum Note {
    Open(u32, Attached),
    Close(u32),
    Stop(oneshot::Sender<()>),
}

/// A sandbox whose device is served. The descriptor is kept for the process that comes after one that died.
#[derive(Debug)]
struct Attached {
    rules: EgressRules,
    device: OwnedFd,
}

impl Egress {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(env: &Env, config: EgressConfig) -> Self {
        let (notes, heard) = mpsc::unbounded_channel();
        let keeper =
            Keeper { env: env.clone(), config, notes: heard, attached: BTreeMap::new(), stopping: None };
        env.spawn("sandbox egress", keeper.keep());
        Self { next_id: AtomicU32::new(1), notes }
    }

    /// Serves a sandbox's device.
    pub(crate) fn attach(&self, rules: EgressRules, device: OwnedFd) -> WayOut {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        // After the stop nobody listens, and the device goes with the note.
        let _ = self.notes.send(Note::Open(id, Attached { rules, device }));
        WayOut { id, notes: self.notes.clone() }
    }

    /// Ends the process, and returns when it has ended.
    pub(crate) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.notes.send(Note::Stop(done)).is_ok() {
            let _ = ended.await;
        }
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        let _ = self.notes.send(Note::Close(self.id));
    }
}

struct Keeper {
    env: Env,
    config: EgressConfig,
    notes: mpsc::UnboundedReceiver<Note>,
    attached: BTreeMap<u32, Attached>,
    stopping: Option<oneshot::Sender<()>>,
}

struct Process {
    socket: AsyncFd<OwnedFd>,
    child: Child,
}

impl Process {
    async fn tell(&self, request: &Request, beside: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            if let Ok(sent) = guard.try_io(|socket| packet::send(socket, request, beside)) {
                return sent;
            }
        }
    }

    async fn open(&self, id: u32, attached: &Attached) -> io::Result<()> {
        let request = Request::Open { id, rules: attached.rules.clone() };
        self.tell(&request, &[attached.device.as_fd()]).await
    }

    /// Returns when the process is gone: it never says anything.
    async fn gone(&self) {
        loop {
            let Ok(mut guard) = self.socket.readable().await else { return };
            let heard = guard.try_io(|socket| Ok(rustix::io::read(socket, &mut [0_u8; 16])?));
            if matches!(heard, Ok(Ok(0) | Err(_))) {
                return;
            }
        }
    }
}

impl Keeper {
    async fn keep(mut self) {
        while self.stopping.is_none() {
            if self.attached.is_empty() {
                match self.notes.recv().await {
                    Some(note) => drop(self.note(note)),
                    None => return,
                }
                continue;
            }
            match self.launch() {
                Ok(mut process) => {
                    self.serve(&process).await;
                    drop(process.socket);
                    // Its end of the socket is closed, which it does last, or by ours now.
                    let status = process.child.wait();
                    if self.stopping.is_none() {
                        tracing::error!(
                            ?status,
                            sandboxes = self.attached.len(),
                            "the way out of sandboxes died, and their connections with it; another one is started"
                        );
                    }
                }
                Err(error) => tracing::error!("the way out of sandboxes could not be started: {error}"),
            }
            if self.stopping.is_none() {
                self.env.sleep(RESTART_PAUSE).await;
            }
        }
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }

    fn launch(&self) -> io::Result<Process> {
        let (ours, theirs) = packet::pair(SocketFlags::empty())?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let child = Command::new(&self.config.program)
            .arg(EGRESS_ARGUMENT)
            .arg(&self.config.run_dir)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        let hello = Hello { user: self.config.user, platform_ports: self.config.platform_ports.clone() };
        packet::send(&ours, &hello, &[])?;
        Ok(Process { socket: watched::watched(ours)?, child })
    }

    /// Until the process is gone, or is to go.
    async fn serve(&mut self, process: &Process) {
        for (id, attached) in &self.attached {
            if process.open(*id, attached).await.is_err() {
                return;
            }
        }
        while self.stopping.is_none() {
            let note = tokio::select! {
                biased;
                () = process.gone() => return,
                note = self.notes.recv() => note,
            };
            let Some(note) = note else { return };
            let told = match self.note(note) {
                Noted::Opened(id) => match self.attached.get(&id) {
                    Some(attached) => process.open(id, attached).await,
                    None => Ok(()),
                },
                Noted::Closed(id) => process.tell(&Request::Close { id }, &[]).await,
                Noted::Nothing => Ok(()),
            };
            if told.is_err() {
                return;
            }
        }
    }

    fn note(&mut self, note: Note) -> Noted {
        match note {
            Note::Open(id, attached) => {
                self.attached.insert(id, attached);
                Noted::Opened(id)
            }
            Note::Close(id) => match self.attached.remove(&id) {
                Some(_) => Noted::Closed(id),
                None => Noted::Nothing,
            },
            Note::Stop(done) => {
                self.attached.clear();
                self.stopping = Some(done);
                Noted::Nothing
            }
        }
    }
}

enum Noted {
    Opened(u32),
    Closed(u32),
    Nothing,
}
