//! The platform's side of one spawner process: what it is asked, what it reports, what runs under it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use apus_env::Env;
use rustix::net::SocketFlags;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::cgroups::{Group, Groups};
use super::message::{Hello, PACKET_BYTES_MAX, Report, Request};
use super::output_pipe::OutputPipe;
use super::watched::watched;
use super::{NamespaceConfig, SPAWNER_ARGUMENT, packet};
use crate::driver::StartError;

/// The connection to one spawner.
pub(super) struct Link {
    pub(super) env: Env,
    socket: AsyncFd<OwnedFd>,
    pub(super) groups: Groups,
    table: Mutex<Table>,
    /// True once the spawner is gone.
    gone: watch::Sender<bool>,
}

/// What is running, and which slots are free.
struct Table {
    next_id: u64,
    /// The one that was free longest first, as the spawner has it.
    free_slots: VecDeque<u32>,
    living: BTreeMap<u64, Living>,
}

struct Living {
    slot: u32,
    outputs: Arc<[Arc<OutputPipe>]>,
    ended: watch::Sender<Option<Ended>>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It was never started, or could not be built.
    Refused(String),
    /// Its first process has ended, and may have said how its program did.
    Reaped { out_of_memory: bool, memory_peak_bytes: Option<u64> },
}

/// A place in the table.
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) slot: u32,
    pub(super) ended: watch::Receiver<Option<Ended>>,
}

impl Link {
    /// Starts a spawner, which shares the lock.
    pub(super) fn launch(
        env: &Env,
        config: &NamespaceConfig,
        hello: &Hello,
        groups: Groups,
        lock: &File,
    ) -> Result<(Arc<Self>, Child), StartError> {
        let host = |what: &'static str| move |error: io::Error| StartError::Host(format!("{what}: {error}"));
        let (ours, theirs) = packet::pair(SocketFlags::empty()).map_err(host("make a socket"))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|error| host("make a socket")(error.into()))?;
        let lock = lock.try_clone().map_err(host("share the lock"))?;
        let child = Command::new(&config.spawner_program)
            .arg(SPAWNER_ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(lock))
            .spawn()
            .map_err(host("start the spawner"))?;
        packet::send(&ours, hello, &[]).map_err(host("greet the spawner"))?;
        let link = Arc::new(Self {
            env: env.clone(),
            socket: watched(ours).map_err(host("watch the spawner"))?,
            groups,
            table: Mutex::new(Table {
                next_id: 1,
                free_slots: (0..config.sandboxes_max).collect(),
                living: BTreeMap::new(),
            }),
            gone: watch::Sender::new(false),
        });
        env.spawn("sandbox reports", hear(link.clone()));
        Ok((link, child))
    }

    pub(super) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Tells the spawner to end, and waits until it has.
    pub(super) async fn end(&self) {
        // Harmless if it is gone already.
        let _ = rustix::net::shutdown(self.socket.get_ref(), rustix::net::Shutdown::Write);
        let mut gone = self.gone.subscribe();
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Takes a slot for a sandbox that is about to be asked for.
    pub(super) fn enter(&self, outputs: Arc<[Arc<OutputPipe>]>) -> Result<Entry, StartError> {
        let (ended, ended_later) = watch::channel(None);
        let mut table = self.table();
        if self.is_gone() {
            return Err(StartError::Host("the spawner of sandboxes has just ended; try again".into()));
        }
        let slot = table
            .free_slots
            .pop_front()
            .ok_or_else(|| StartError::Host("as many sandboxes run as may; raise the limit".into()))?;
        let id = table.next_id;
        table.next_id += 1;
        table.living.insert(id, Living { slot, outputs, ended });
        Ok(Entry { id, slot, ended: ended_later })
    }

    /// Asks without waiting.
    pub(super) fn try_send(&self, request: &Request) -> io::Result<()> {
        packet::send(self.socket.get_ref(), request, &[])
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no code panics while it holds this lock")
    }

    pub(super) async fn send(&self, request: &Request, beside: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            if let Ok(sent) = guard.try_io(|socket| packet::send(socket, request, beside)) {
                return sent;
            }
        }
    }

    /// Does something to the group of a sandbox that is on the books; nothing if it is not, as its slot may be another's.
    pub(super) fn while_living(&self, id: u64, act: impl FnOnce(&Group) -> io::Result<()>) -> io::Result<()> {
        let table = self.table();
        match table.living.get(&id) {
            Some(living) => act(&self.groups.slot(living.slot)),
            None => Ok(()),
        }
    }

    /// Takes a sandbox off the books and frees its slot.
    pub(super) fn forget(&self, id: u64, ended: Ended) {
        let mut table = self.table();
        if let Some(living) = table.living.remove(&id) {
            table.free_slots.push_back(living.slot);
            drop(table);
            living.outputs.iter().for_each(|output| output.drain());
            let _ = living.ended.send(Some(ended));
        }
    }

    fn heard(&self, report: Report) {
        match report {
            Report::Refused { id, why } => self.forget(id, Ended::Refused(why)),
            Report::Reaped { id, out_of_memory, memory_peak_bytes } => {
                self.forget(id, Ended::Reaped { out_of_memory, memory_peak_bytes });
            }
        }
    }
}

/// Hears the spawner until it is gone.
async fn hear(link: Arc<Link>) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok(mut guard) = link.socket.readable().await else { break };
        match guard.try_io(|socket| packet::receive::<Report>(socket, &mut buffer)) {
            Ok(Ok(Some((report, _)))) => link.heard(report),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                tracing::error!("the spawner of sandboxes cannot be heard: {error}");
                break;
            }
            Err(_not_yet) => {}
        }
    }
    link.gone.send_replace(true);
    let left: Vec<u64> = link.table().living.keys().copied().collect();
    for id in left {
        // Under the older layout what is frozen cannot end.
        let _thawed = link.while_living(id, |group| group.set_frozen(false));
        link.forget(id, Ended::Reaped { out_of_memory: false, memory_peak_bytes: None });
    }
}
