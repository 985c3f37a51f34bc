//! A disk in memory that forgets: what was not synced may be lost, kept or torn by a crash, as the seed decides.
//!
//! It also fails on demand: power that goes out at the Nth operation, syncs that do nothing, errors, no space.
//! A volatile one remembers nothing for crashes and serves stores that live in memory.

mod crash;
mod file;
mod point;
mod tree;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_env::sim::Rng;

use super::{Disk, DiskFile, DiskLock, OpenMode, SyncPoint};
use file::{Inode, SimFile};
use tree::{Change, Entry, Tree};

pub use crash::{Crash, Loss};
pub use point::{Act, Point};

/// A simulated disk. Clones are handles on the same one, which outlives the processes that use it.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    volatile: bool,
}

struct State {
    inodes: Vec<Inode>,
    tree: Tree,
    faults: Faults,
    dice: Rng,
    /// Counts the crashes: a file opened before the last one is of a process that is no more.
    boot: u64,
    locked: bool,
    bytes: u64,
    operations: u64,
    /// Every change so far, if they are to be remembered.
    points: Option<Vec<Point>>,
    syncs: std::collections::BTreeMap<SyncPoint, u64>,
}

#[derive(Debug, Default)]
struct Faults {
    power_off_at: Option<u64>,
    power_is_off: bool,
    fail_at: Option<(u64, io::ErrorKind)>,
    ignored: Option<SyncPoint>,
    capacity_bytes: Option<u64>,
}

impl SimDisk {
    /// An empty disk whose losses `seed` decides.
    pub fn new(seed: u64) -> Self {
        Self::make(seed, false)
    }

    /// An empty disk that keeps no record of what was synced: plain memory. It must not crash.
    pub fn volatile() -> Self {
        Self::make(0, true)
    }

    fn make(seed: u64, volatile: bool) -> Self {
        let state = State {
            inodes: Vec::new(),
            tree: Tree::default(),
            faults: Faults::default(),
            dice: Rng::new(seed ^ 0xd15c),
            boot: 0,
            locked: false,
            bytes: 0,
            operations: 0,
            points: None,
            syncs: std::collections::BTreeMap::new(),
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), volatile }) }
    }

    /// Cuts the power at the `count`th change from now: it is begun at most, and nothing works until the next
    /// [`Self::crash`].
    pub fn power_off_after(&self, count: u64) {
        let mut state = self.shared.lock();
        state.faults.power_off_at = Some(state.operations + count);
    }

    /// Whether the power has gone.
    pub fn is_powered_off(&self) -> bool {
        self.shared.lock().faults.power_is_off
    }

    /// Fails the `count`th change from now, once, and leaves it undone.
    pub fn fail_after(&self, count: u64, kind: io::ErrorKind) {
        let mut state = self.shared.lock();
        state.faults.fail_at = Some((state.operations + count, kind));
    }

    /// Makes every sync of one kind do nothing, and say that it did; `None`: none.
    pub fn ignore_syncs(&self, point: Option<SyncPoint>) {
        self.shared.lock().faults.ignored = point;
    }

    /// Refuses to hold more than so many bytes; `None`: holds anything.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.lock().faults.capacity_bytes = bytes;
    }

    /// Changes made so far.
    pub fn operations(&self) -> u64 {
        self.shared.lock().operations
    }

    /// Remembers every change from now on.
    pub fn remember_points(&self) {
        self.shared.lock().points.get_or_insert_default();
    }

    /// The changes since [`Self::remember_points`], in their order; if the power is off, the last is where it went.
    pub fn points(&self) -> Vec<Point> {
        self.shared.lock().points.clone().unwrap_or_default()
    }

    /// Syncs of one kind asked for so far.
    pub fn syncs(&self, point: SyncPoint) -> u64 {
        self.shared.lock().syncs.get(&point).copied().unwrap_or(0)
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().bytes
    }

    /// Ends every process that uses the disk: all open files and the lock are gone, and with them what the
    /// crash takes.
    pub fn crash(&self, crash: Crash) {
        assert!(!self.shared.volatile, "a volatile disk keeps nothing over a crash");
        self.shared.lock().crash(crash);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets a change go on unless a fault keeps it. `Ok(true)`: it happens, and then the power is gone.
    fn change_turn(&mut self, act: Act, name: &str) -> io::Result<bool> {
        self.operations += 1;
        self.read_turn()?;
        if let Some(points) = &mut self.points {
            points.push(Point { act, name: name.to_owned() });
        }
        if self.faults.power_off_at == Some(self.operations) {
            self.faults.power_is_off = true;
            return Ok(true);
        }
        if let Some((at, failure)) = self.faults.fail_at
            && self.operations == at
        {
            self.faults.fail_at = None;
            return Err(io::Error::new(failure, "a failure that was asked for"));
        }
        Ok(false)
    }

    /// Lets a read go on while there is power.
    fn read_turn(&self) -> io::Result<()> {
        if self.faults.power_is_off { Err(power_is_off()) } else { Ok(()) }
    }

    /// Whether a sync is to be done, after counting it.
    fn syncs(&mut self, point: SyncPoint) -> bool {
        *self.syncs.entry(point).or_default() += 1;
        self.faults.ignored != Some(point)
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

/// The end of an operation during which the power may have gone.
fn ends(last: bool) -> io::Result<()> {
    if last { Err(power_is_off()) } else { Ok(()) }
}

impl Disk for SimDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.shared.lock();
        if let Some(Entry::File(inode)) = state.tree.get(name) {
            state.read_turn()?;
            return Ok(Arc::new(SimFile::new(&self.shared, inode, name, &mut state)));
        }
        if mode == OpenMode::Existing {
            return Err(io::ErrorKind::NotFound.into());
        }
        let last = state.change_turn(Act::Create, name)?;
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.tree.change(Change::Link(name.to_owned(), Entry::File(inode)), self.shared.volatile)?;
        ends(last)?;
        Ok(Arc::new(SimFile::new(&self.shared, inode, name, &mut state)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.shared.lock();
        let last = state.change_turn(Act::Rename, to)?;
        let entry = state.tree.get(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = state.tree.get(to);
        let change = Change::Rename(from.to_owned(), to.to_owned(), entry);
        state.tree.change(change, self.shared.volatile)?;
        state.unlinked(replaced);
        ends(last)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.shared.lock();
        let last = state.change_turn(Act::Remove, name)?;
        let entry = state.tree.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.tree.change(Change::Unlink(name.to_owned(), entry), self.shared.volatile)?;
        state.unlinked(Some(entry));
        ends(last)
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.tree.get(name).is_some() {
            return Ok(());
        }
        let last = state.change_turn(Act::CreateDir, name)?;
        state.tree.change(Change::Link(name.to_owned(), Entry::Dir), self.shared.volatile)?;
        ends(last)
    }

    fn sync_dir(&self, name: &str, point: SyncPoint) -> io::Result<()> {
        let mut state = self.shared.lock();
        let last = state.change_turn(Act::SyncDir(point), name)?;
        // Power that goes during a sync leaves it done or not.
        let done = !last || state.dice.chance(1, 2);
        if state.syncs(point) && done {
            state.tree.sync(name);
        }
        ends(last)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let state = self.shared.lock();
        state.read_turn()?;
        Ok(state.tree.list(name))
    }

    fn lock(&self) -> io::Result<DiskLock> {
        let mut state = self.shared.lock();
        state.read_turn()?;
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(DiskLock::new(Unlock { shared: self.shared.clone(), boot: state.boot }))
    }

    fn place(&self) -> String {
        "the simulated disk".to_owned()
    }

    fn latency(&self) -> Option<Duration> {
        if self.shared.volatile {
            return None;
        }
        Some(Duration::from_micros(20 + self.shared.lock().dice.below(400)))
    }
}

struct Unlock {
    shared: Arc<Shared>,
    boot: u64,
}

impl Drop for Unlock {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.boot == self.boot {
            state.locked = false;
        }
    }
}

#[cfg(test)]
mod tests;
