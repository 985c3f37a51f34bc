//! The embedded engine: a log on which commits wait, an overlay in memory, and a base of redb beneath.
//!
//! A batch is one frame in the log and one sync. Its changes live in the overlay until a checkpoint moves them
//! into the base, in the background and in one transaction; then the log before it goes. What comes and goes
//! between two checkpoints, as a queue's messages do, never reaches the base. Recovery opens the base and reads
//! what is left of the log.

mod base;
mod block;
mod format;
mod frame;
mod journal;
mod log;
mod pack;
mod pieces;
mod recovery;
mod view;

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use tokio::sync::mpsc;

use crate::blobs::Blobs;
use crate::disk::{Disk, DiskLock, io_error};
use crate::error::StoreError;
use crate::shared::Shared;
use crate::state::State;
use crate::store::Store;
use base::BaseStore;
use journal::EmbeddedJournal;

pub use format::FORMAT;

/// How a store on disk behaves. The defaults suit a server; tests make everything small.
#[derive(Clone, Debug)]
pub struct Options {
    /// A checkpoint begins once the log or the overlay has grown by so many bytes. Twice as much may be in memory.
    pub checkpoint_bytes: u64,
    /// A checkpoint begins after so long without commits.
    pub checkpoint_idle: Duration,
    /// The log's file grows by so many bytes at a time, zeroed ahead, so that a sync has only data to write.
    pub log_extend_bytes: u64,
    /// What the base may keep in memory, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_bytes: 64 << 20,
            checkpoint_idle: Duration::from_secs(10),
            log_extend_bytes: 1 << 20,
            cache_bytes: 64 << 20,
        }
    }
}

pub(crate) fn open(env: &Env, disk: &Arc<dyn Disk>, options: &Options) -> Result<Store, StoreError> {
    let lock = lock(disk.as_ref())?;
    format::check_or_create(disk.as_ref())?;
    format::raise(disk.as_ref())?;
    start(env, disk, options, lock)
}

/// Opens a store that is not complete until [`restored`] says so, on a disk that holds none.
pub(crate) fn open_for_restore(
    env: &Env,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<Store, StoreError> {
    let lock = lock(disk.as_ref())?;
    format::begin_restore(disk.as_ref())?;
    start(env, disk, options, lock)
}

/// A restore has come to its end: the store may be opened from now on.
pub(crate) fn restored(disk: &dyn Disk) -> Result<(), StoreError> {
    format::end_restore(disk)
}

fn start(env: &Env, disk: &Arc<dyn Disk>, options: &Options, lock: DiskLock) -> Result<Store, StoreError> {
    let blobs = Blobs::open(env, disk)?;
    let base = Arc::new(BaseStore::open(disk, options.cache_bytes, Some(lock))?);
    let mut state = State { base: Some(base.view()?), ..State::default() };
    let log = recovery::recover(env, disk, options, base.applied()?, &mut state)?;
    let shared = Arc::new(Shared::new(env.clone(), state));
    let (control, control_receiver) = mpsc::unbounded_channel();
    let journal =
        EmbeddedJournal::new(env.clone(), disk.clone(), options.clone(), log, base, control.downgrade());
    Ok(Store::start(shared, blobs, (control, control_receiver), Box::new(journal), true))
}

/// What a look at the files has shown.
pub(crate) struct Inspected {
    pub(crate) log_frames: u64,
    pub(crate) damage: Vec<StoreError>,
}

/// Looks at the format, the base and the log, and changes nothing that a start would not.
pub(crate) fn inspect(disk: &Arc<dyn Disk>, options: &Options) -> Result<Inspected, StoreError> {
    let lock = lock(disk.as_ref())?;
    format::check(disk.as_ref())?;
    format::raise(disk.as_ref())?;
    base::sane(|| look_through(disk, options, lock))
}

fn look_through(disk: &Arc<dyn Disk>, options: &Options, lock: DiskLock) -> Result<Inspected, StoreError> {
    let mut base = BaseStore::open(disk, options.cache_bytes, Some(lock))?;
    let mut damage = Vec::new();
    damage.extend(base.check_integrity().err());
    let base = Arc::new(base);
    damage.extend(base.check_rows()?);
    let applied = base.applied()?;
    let mut state = State { base: Some(base.view()?), ..State::default() };
    let mut log_frames = 0;
    match recovery::inspect(disk.as_ref(), applied, &mut state) {
        Ok(last) => log_frames = last - applied,
        Err(error) => damage.push(error),
    }
    Ok(Inspected { log_frames, damage })
}

fn lock(disk: &dyn Disk) -> Result<DiskLock, StoreError> {
    disk.lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => StoreError::Locked { place: disk.place() },
        _ => io_error(format!("locking {}", disk.place()))(error),
    })
}
