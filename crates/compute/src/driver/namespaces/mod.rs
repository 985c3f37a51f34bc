//! The driver of level "full": sandboxes of namespaces and control groups, cloned by a [spawner] process.
//! This side is the platform's: it asks the spawner, serves what listens inside, and hears how it ends.

mod cgroups;
mod child;
mod message;
mod mounts;
mod network;
mod output_pipe;
mod packet;
mod seccomp;
mod spawner;
mod watched;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use apus_env::Env;
use rustix::net::SocketFlags;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use self::cgroups::{Group, Groups};
use self::message::{Hello, PACKET_BYTES_MAX, Report, Request, Signal};
use self::output_pipe::OutputPipe;
use self::watched::watched;
use super::{BoxFuture, Driver, Exit, Level, Sandbox, SandboxSpec, StartError, Wiring};
use crate::runtime_api;

pub(crate) use self::cgroups::Layout;
pub(crate) use self::child::landlock_version;
pub use self::spawner::{SPAWNER_ARGUMENT, spawner_main};

/// The port of the Runtime API inside a sandbox, as on AWS.
pub const RUNTIME_API_PORT: u16 = 9001;
/// Network namespaces that are kept ready, unless told otherwise.
pub const NETWORKS_READY: u32 = 4;
/// The user of the first sandbox, unless told otherwise: beyond what hosts give to people and services.
pub const UID_BASE: u32 = 200_000;

/// How this driver works.
#[derive(Clone, Debug)]
pub struct NamespaceConfig {
    /// A directory of this instance alone, for locks and mount points.
    pub run_dir: PathBuf,
    /// The program that calls [`spawner_main`] first thing.
    pub spawner_program: PathBuf,
    /// The user and group of the first sandbox; the others follow.
    pub uid_base: u32,
    /// How many sandboxes there may be at once.
    pub sandboxes_max: u32,
    /// The port of the platform's endpoint inside sandboxes.
    pub endpoint_port: u16,
    /// Network namespaces that are kept ready.
    pub networks_ready: u32,
}

impl NamespaceConfig {
    /// The usual choices.
    pub fn new(run_dir: impl Into<PathBuf>, sandboxes_max: u32, endpoint_port: u16) -> Self {
        Self {
            run_dir: run_dir.into(),
            spawner_program: "/proc/self/exe".into(),
            uid_base: UID_BASE,
            sandboxes_max,
            endpoint_port,
            networks_ready: NETWORKS_READY,
        }
    }
}

/// Sandboxes of namespaces.
pub struct NamespaceDriver {
    inner: Arc<Inner>,
    spawner: Mutex<Option<Child>>,
}

struct Inner {
    env: Env,
    socket: AsyncFd<OwnedFd>,
    groups: Groups,
    table: Mutex<Table>,
    /// True once the spawner is gone.
    gone: watch::Sender<bool>,
    _locks: [File; 2],
}

/// What is running, and which slots are free.
struct Table {
    next_id: u64,
    free_slots: Vec<u32>,
    living: BTreeMap<u64, Living>,
}

struct Living {
    slot: u32,
    control: Arc<AsyncFd<OwnedFd>>,
    output: Arc<OutputPipe>,
    ended: watch::Sender<Option<Ended>>,
}

#[derive(Clone, Debug)]
enum Ended {
    Refused(String),
    Exit(Exit, Option<u64>),
}

impl NamespaceDriver {
    /// Sweeps what an earlier run with this directory left behind, and starts the spawner. Must be called
    /// within a tokio runtime.
    pub fn start(env: Env, config: &NamespaceConfig) -> Result<Self, StartError> {
        let host = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| StartError::Host(format!("{what}: {error}"))
        };
        let mount_point = config.run_dir.join("root");
        mounts::prepare_mount_point(&mount_point).map_err(host("make the run directory"))?;
        let locks = lock(&config.run_dir)?;
        let layout = Layout::detect().map_err(StartError::Host)?;
        let name = cgroup_name(&config.run_dir).map_err(host("find the run directory"))?;
        let groups = Groups::new(layout, &name);
        groups.sweep().map_err(host("remove what an earlier run left behind"))?;

        let (ours, theirs) = packet::pair(SocketFlags::empty()).map_err(host("make a socket"))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|error| host("make a socket")(error.into()))?;
        let lock_copy = locks[1].try_clone().map_err(host("share the lock"))?;
        let child = Command::new(&config.spawner_program)
            .arg(SPAWNER_ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(lock_copy))
            .spawn()
            .map_err(host("start the spawner"))?;
        let hello = Hello {
            root_mount_point: text(&mount_point)?,
            cgroup_name: name,
            uid_base: config.uid_base,
            runtime_api_port: RUNTIME_API_PORT,
            endpoint_port: config.endpoint_port,
            networks_ready: config.networks_ready,
        };
        packet::send(&ours, &hello, &[]).map_err(host("greet the spawner"))?;
        let inner = Arc::new(Inner {
            socket: watched(ours).map_err(host("watch the spawner"))?,
            groups,
            table: Mutex::new(Table {
                next_id: 1,
                free_slots: (0..config.sandboxes_max).rev().collect(),
                living: BTreeMap::new(),
            }),
            gone: watch::Sender::new(false),
            _locks: locks,
            env: env.clone(),
        });
        env.spawn("sandbox reports", hear(inner.clone()));
        Ok(Self { inner, spawner: Mutex::new(Some(child)) })
    }

    /// The spawner's process number, for those who watch processes.
    pub fn spawner_pid(&self) -> Option<u32> {
        self.spawner.lock().expect("no code panics while it holds this lock").as_ref().map(Child::id)
    }
}

impl Driver for NamespaceDriver {
    fn level(&self) -> Level {
        Level::Full
    }

    fn start(
        &self,
        spec: SandboxSpec,
        wiring: Wiring,
    ) -> BoxFuture<'_, Result<Arc<dyn Sandbox>, StartError>> {
        Box::pin(start(self.inner.clone(), spec, wiring))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let _ = rustix::net::shutdown(self.inner.socket.get_ref(), rustix::net::Shutdown::Write);
            let mut gone = self.inner.gone.subscribe();
            let _ = gone.wait_for(|gone| *gone).await;
            let child = self.spawner.lock().expect("no code panics while it holds this lock").take();
            if let Some(mut child) = child {
                // It has closed its socket, the last thing but its own end.
                let _ = child.wait();
            }
        })
    }
}

async fn start(inner: Arc<Inner>, spec: SandboxSpec, wiring: Wiring) -> Result<Arc<dyn Sandbox>, StartError> {
    let host = |error: io::Error| StartError::Host(error.to_string());
    let (control, their_control) = packet::pair(SocketFlags::empty()).map_err(host)?;
    rustix::io::ioctl_fionbio(&control, true).map_err(|error| host(error.into()))?;
    let (pipe, their_pipe) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| host(error.into()))?;
    let control = Arc::new(watched(control).map_err(host)?);
    let output = OutputPipe::new(pipe, wiring.output).map_err(host)?;

    let (ended, ended_later) = watch::channel(None);
    let (id, slot) = {
        let mut table = inner.table();
        if *inner.gone.borrow() {
            return Err(StartError::Host("the spawner of sandboxes is gone; restart the platform".into()));
        }
        let slot = table
            .free_slots
            .pop()
            .ok_or_else(|| StartError::Host("as many sandboxes run as may; raise the limit".into()))?;
        let id = table.next_id;
        table.next_id += 1;
        table.living.insert(id, Living { slot, control: control.clone(), output: output.clone(), ended });
        (id, slot)
    };
    let sandbox = Arc::new(NamespaceSandbox {
        group: inner.groups.slot(slot),
        inner: inner.clone(),
        id,
        output: output.clone(),
        ended: ended_later,
        exchange: wiring.exchange.clone(),
        asked_to_end: AtomicBool::new(false),
    });
    let request = Request::Start { id, slot, spec: Box::new(spec) };
    if let Err(error) = inner.send(&request, &[their_control.as_fd(), their_pipe.as_fd()]).await {
        inner.forget(id, Ended::Refused(error.to_string()));
        return Err(host(error));
    }
    drop((their_control, their_pipe));

    let listeners = sandbox.standing(&control).await?;
    inner.env.spawn("sandbox output", output.pump());
    let [runtime_api, endpoint] = <[OwnedFd; 2]>::try_from(listeners)
        .map_err(|_| StartError::Host("the sandbox passed out too few listeners".into()))?;
    let runtime_api = tokio::net::TcpListener::from_std(runtime_api.into()).map_err(host)?;
    inner.env.spawn("runtime api", runtime_api::serve(inner.env.clone(), runtime_api, wiring.exchange));
    (wiring.serve_endpoint)(endpoint.into());
    Ok(sandbox)
}

struct NamespaceSandbox {
    inner: Arc<Inner>,
    id: u64,
    group: Group,
    output: Arc<OutputPipe>,
    ended: watch::Receiver<Option<Ended>>,
    exchange: Arc<crate::exchange::Exchange>,
    asked_to_end: AtomicBool,
}

impl NamespaceSandbox {
    /// Waits until the sandbox has been built, and returns its listeners.
    async fn standing(&self, control: &AsyncFd<OwnedFd>) -> Result<Vec<OwnedFd>, StartError> {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        let ended = self.ended.clone();
        let first = async {
            loop {
                let mut guard = control.readable().await?;
                if let Ok(received) = guard.try_io(|socket| packet::receive::<Signal>(socket, &mut buffer)) {
                    return received;
                }
            }
        };
        let first = tokio::select! {
            biased;
            first = first => first,
            why = refused(ended) => return Err(StartError::Host(why)),
        };
        match first {
            Ok(Some((Signal::Ready, listeners))) => Ok(listeners),
            Ok(Some((Signal::Failed { why, entrypoint: true }, _))) => Err(StartError::Entrypoint(why)),
            Ok(Some((Signal::Failed { why, entrypoint: false }, _))) => Err(StartError::Host(why)),
            Ok(Some((Signal::Exited { .. }, _)) | None) => {
                Err(StartError::Host("the sandbox ended before it stood".into()))
            }
            Err(error) => Err(StartError::Host(error.to_string())),
        }
    }
}

/// Waits for the spawner's word that it did not start this one.
async fn refused(mut ended: watch::Receiver<Option<Ended>>) -> String {
    let why = ended.wait_for(Option::is_some).await.map(|ended| ended.clone());
    match why {
        Ok(Some(Ended::Refused(why))) => why,
        _ => "the sandbox ended before it stood".into(),
    }
}

impl Sandbox for NamespaceSandbox {
    fn kill(&self) {
        self.exchange.close();
        if self.ended.borrow().is_some() || self.asked_to_end.swap(true, Ordering::Relaxed) {
            return;
        }
        let request = Request::Kill { id: self.id };
        if packet::send(self.inner.socket.get_ref(), &request, &[]).is_err() {
            let inner = self.inner.clone();
            self.inner.env.spawn("sandbox kill", async move {
                // If the spawner is gone, so are its sandboxes.
                let _ = inner.send(&request, &[]).await;
            });
        }
    }

    fn ended(&self) -> BoxFuture<'_, Exit> {
        let mut ended = self.ended.clone();
        Box::pin(async move {
            match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
                Ok(Some(Ended::Exit(exit, _))) => exit,
                _ => Exit::Killed,
            }
        })
    }

    fn memory_peak_bytes(&self) -> Option<u64> {
        match &*self.ended.borrow() {
            // Its group's name may be another's by now.
            Some(Ended::Exit(_, peak)) => *peak,
            Some(Ended::Refused(_)) => None,
            None => self.group.memory_peak_bytes(),
        }
    }

    fn drain_output(&self) {
        self.output.drain();
    }
}

impl Drop for NamespaceSandbox {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no code panics while it holds this lock")
    }

    async fn send(&self, request: &Request, beside: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            if let Ok(sent) = guard.try_io(|socket| packet::send(socket, request, beside)) {
                return sent;
            }
        }
    }

    /// Takes a sandbox off the books and frees its slot.
    fn forget(&self, id: u64, ended: Ended) {
        let mut table = self.table();
        if let Some(living) = table.living.remove(&id) {
            table.free_slots.push(living.slot);
            drop(table);
            living.output.drain();
            let _ = living.ended.send(Some(ended));
        }
    }

    fn heard(&self, report: Report) {
        match report {
            Report::Refused { id, why } => self.forget(id, Ended::Refused(why)),
            Report::Reaped { id, out_of_memory, memory_peak_bytes } => {
                let control = self.table().living.get(&id).map(|living| living.control.clone());
                let Some(control) = control else { return };
                let exit = if out_of_memory { Exit::OutOfMemory } else { last_words(control.get_ref()) };
                self.forget(id, Ended::Exit(exit, memory_peak_bytes));
            }
        }
    }
}

/// What the sandbox's first process said of its program's end; nothing if it was killed itself.
fn last_words(control: &OwnedFd) -> Exit {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    while let Ok(Some((signal, _))) = packet::receive::<Signal>(control, &mut buffer) {
        if let Signal::Exited { wait_status } = signal {
            let status = ExitStatus::from_raw(wait_status);
            return match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Status(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Killed,
            };
        }
    }
    Exit::Killed
}

/// Hears the spawner until it is gone.
async fn hear(inner: Arc<Inner>) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok(mut guard) = inner.socket.readable().await else { break };
        match guard.try_io(|socket| packet::receive::<Report>(socket, &mut buffer)) {
            Ok(Ok(Some((report, _)))) => inner.heard(report),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                tracing::error!("the spawner of sandboxes cannot be heard: {error}");
                break;
            }
            Err(_not_yet) => {}
        }
    }
    inner.gone.send_replace(true);
    let left: Vec<u64> = inner.table().living.keys().copied().collect();
    for id in left {
        inner.forget(id, Ended::Exit(Exit::Killed, None));
    }
}

/// Takes the directory for this process, refusing another that lives, and waits for the spawner of an earlier
/// one that does not: the second lock is shared with the spawner.
fn lock(run_dir: &Path) -> Result<[File; 2], StartError> {
    use rustix::fs::FlockOperation::{LockExclusive, NonBlockingLockExclusive};

    let take = |name: &str, how| {
        let path = run_dir.join(name);
        let refused = |why: String| StartError::Host(format!("lock {}: {why}", path.display()));
        let file = File::create(&path).map_err(|error| refused(error.to_string()))?;
        match rustix::fs::flock(&file, how) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(refused("another process uses this directory; end it or choose another directory".into()))
            }
            Err(error) => Err(refused(error.to_string())),
        }
    };
    Ok([take("platform.lock", NonBlockingLockExclusive)?, take("sandboxes.lock", LockExclusive)?])
}

/// Ends what an earlier run with this directory left behind and removes its control groups; returns how many
/// processes there were. Waits for a spawner that is about to do it itself; refuses while a platform lives.
/// [`NamespaceDriver::start`] does this too.
pub fn sweep(run_dir: &Path) -> Result<u32, StartError> {
    let host =
        |error: io::Error| StartError::Host(format!("remove what an earlier run left behind: {error}"));
    if !run_dir.exists() {
        return Ok(0);
    }
    let _locks = lock(run_dir)?;
    let groups =
        Groups::new(Layout::detect().map_err(StartError::Host)?, &cgroup_name(run_dir).map_err(host)?);
    groups.sweep().map_err(host)
}

/// The control groups of an instance, from the root of each hierarchy: found again by its directory, which must
/// exist.
pub fn cgroup_name(run_dir: &Path) -> io::Result<String> {
    let path = run_dir.canonicalize()?;
    // FNV-1a: short, and the same in every version.
    let hash = path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(format!("apus/{hash:016x}"))
}

fn text(path: &Path) -> Result<String, StartError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| StartError::Host(format!("{} is no UTF-8; choose another directory", path.display())))
}
