//! The handle on a store: transactions, reads, watches.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use tokio::sync::{mpsc, oneshot};

use crate::blobs::Blobs;
use crate::commit::{Commit, Committer, Control, Journal, NoJournal, Outcome};
use crate::disk::{Disk, RealDisk, SimDisk, io_error};
use crate::embedded::{self, Options};
use crate::error::StoreError;
use crate::key::Key;
use crate::limits::{COMMITS_WAITING_MAX, TX_ATTEMPTS_MAX, TX_PAUSE_MAX};
use crate::metrics::StoreMetrics;
use crate::shared::{Held, Shared};
use crate::state::State;
use crate::tx::Tx;
use crate::watch::Watch;

/// A store. Clones are handles on the same one; it ends when the last is dropped or one is closed.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    blobs: Blobs,
    commits: mpsc::Sender<Commit>,
    control: mpsc::UnboundedSender<Control>,
}

/// Attempts that follow each other at once; later ones pause.
const ATTEMPTS_WITHOUT_PAUSE: u32 = 4;

impl Store {
    /// A store that lives in memory and is gone with its last handle.
    pub fn memory(env: &Env) -> Self {
        let shared = Arc::new(Shared::new(env.clone(), State::default()));
        let (control, control_receiver) = mpsc::unbounded_channel();
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::volatile());
        let blobs = match Blobs::open(env, &disk) {
            Ok(blobs) => blobs,
            Err(error) => unreachable!("memory does not fail: {error}"),
        };
        Self::start(shared, blobs, (control, control_receiver), Box::new(NoJournal), false)
    }

    /// Opens the store on a disk, which is given one if it has none.
    ///
    /// Errors: [`StoreError::Locked`] if another process has it, [`StoreError::NewerFormat`],
    /// [`StoreError::Corrupt`], or what the disk says.
    pub fn open(env: &Env, disk: &Arc<dyn Disk>, options: &Options) -> Result<Self, StoreError> {
        embedded::open(env, disk, options)
    }

    /// Opens the store in a directory of the file system, with the default options.
    pub fn open_dir(env: &Env, dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        let doing = format!("opening the data directory {}", dir.display());
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir).map_err(io_error(doing))?);
        Self::open(env, &disk, &Options::default())
    }

    /// Moves everything committed so far into the base, where it takes no memory; on a store in memory nothing.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let (waiter, done) = oneshot::channel();
        self.inner.control.send(Control::Checkpoint(waiter)).map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the store: commits that wait are made, later ones are refused, and the disk is let go once
    /// transactions in progress have ended.
    pub async fn close(&self) {
        let (waiter, closed) = oneshot::channel();
        if self.inner.control.send(Control::Close(waiter)).is_ok() {
            // Gone without an answer is closed too.
            let _ = closed.await;
        }
    }

    pub(crate) fn start(
        shared: Arc<Shared>,
        blobs: Blobs,
        (control, control_receiver): (mpsc::UnboundedSender<Control>, mpsc::UnboundedReceiver<Control>),
        journal: Box<dyn Journal>,
        blocks: bool,
    ) -> Self {
        let (commits, commits_receiver) = mpsc::channel(COMMITS_WAITING_MAX);
        let committer = Committer::new(shared.clone(), commits_receiver, control_receiver, journal);
        let env = shared.env().clone();
        // The task ends by itself when the store's handles are gone.
        let _detached = if blocks {
            env.spawn_thread("store-commit", committer.run())
        } else {
            env.spawn("store-commit", committer.run())
        };
        Self { inner: Arc::new(Inner { shared, blobs, commits, control }) }
    }

    /// Runs `body` as one serializable transaction and commits what it changed; when this returns `Ok`, the
    /// changes are durable.
    ///
    /// `body` runs again, on a newer version, whenever what it had read was changed by others before it
    /// committed; it must have no effects but through its [`Tx`]. If it returns an error nothing is changed.
    ///
    /// Errors: those of `body`; [`StoreError::Conflict`] after [`TX_ATTEMPTS_MAX`] attempts, and the others
    /// of [`StoreError`].
    pub async fn transact<T, E, F, Fut>(&self, body: F) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StoreError>,
    {
        for attempt in 1..=TX_ATTEMPTS_MAX {
            let tx = self.begin(false)?;
            let output = match body(tx.clone()).await {
                Ok(output) => output,
                Err(error) => {
                    tx.abandon();
                    return Err(error);
                }
            };
            match self.commit(&tx).await? {
                Outcome::Committed => return Ok(output),
                Outcome::Conflict => self.pause(attempt).await,
            }
        }
        Err(StoreError::Conflict { attempts: TX_ATTEMPTS_MAX }.into())
    }

    /// Runs `body` on the newest version, read-only. Never conflicts, never runs twice.
    pub async fn read<T, E, F, Fut>(&self, body: F) -> Result<T, E>
    where
        F: FnOnce(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StoreError>,
    {
        let tx = self.begin(true)?;
        let output = body(tx.clone()).await;
        let refused = tx.finish().err();
        match (output, refused) {
            (Ok(_), Some(error)) => Err(error.into()),
            (output, _) => output,
        }
    }

    /// Hints at changes to keys that begin with `prefix` (a whole key is such a beginning too). Make the watch
    /// before looking, so that nothing falls between.
    pub fn watch(&self, prefix: &Key) -> Watch {
        self.inner.shared.watchers().watch(prefix)
    }

    /// The blobs beside the keys and values.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// The environment that the store runs in.
    pub fn env(&self) -> &Env {
        self.inner.shared.env()
    }

    /// What the store counts about itself.
    pub fn metrics(&self) -> StoreMetrics {
        self.inner.shared.metrics().read()
    }

    /// Why the store takes no more writes, if so.
    pub fn failure(&self) -> Option<StoreError> {
        self.inner.shared.failure()
    }

    /// Commits without looking for conflicts from now on: a planted bug, to show that tests would find it.
    #[doc(hidden)]
    pub fn plant_skipped_conflict_checks(&self) {
        self.inner.shared.skip_conflict_checks();
    }

    /// The newest version, for reading only.
    pub(crate) fn version(&self) -> Result<Arc<State>, StoreError> {
        Ok(self.inner.shared.current().ok_or(StoreError::Closed)?.state)
    }

    fn begin(&self, read_only: bool) -> Result<Tx, StoreError> {
        let mut snapshot = self.inner.shared.current().ok_or(StoreError::Closed)?;
        if read_only {
            // Nothing will be committed, so nobody need remember conflicts for it.
            snapshot.held = Arc::new(Held { version: snapshot.held.version });
        }
        Ok(Tx::new(snapshot, self.env().now(), read_only))
    }

    async fn commit(&self, tx: &Tx) -> Result<Outcome, StoreError> {
        let finished = tx.finish()?;
        if finished.writes.is_empty() {
            // It read one version, which is as if it had run at that moment.
            return Ok(Outcome::Committed);
        }
        let (reply, answer) = oneshot::channel();
        let commit = Commit { finished, reply };
        self.inner.commits.send(commit).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn pause(&self, attempt: u32) {
        if attempt < ATTEMPTS_WITHOUT_PAUSE {
            return;
        }
        let env = self.env();
        let span = Duration::from_micros(500 << (attempt - ATTEMPTS_WITHOUT_PAUSE).min(7)).min(TX_PAUSE_MAX);
        env.sleep(Duration::from_micros(env.random_below(span.as_micros() as u64))).await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}
