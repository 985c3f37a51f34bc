//! The disk, as far as the store needs one: files by name, positioned reads and writes, and syncs that are named.
//!
//! Everything durable goes through a [`Disk`], so that tests can put one beneath that loses what was not
//! synced. Names are relative to the data directory, with `/` between a folder and a file. It knows no formats.

mod real;
mod sim;

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;

pub use real::RealDisk;
pub use sim::{Act, Crash, Loss, Point, SimDisk};

/// A place to keep files in.
pub trait Disk: Send + Sync + 'static {
    /// Opens a file.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name within its folder, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes a folder, if it is not there.
    fn create_dir(&self, name: &str) -> io::Result<()>;
    /// Makes what was created, renamed and removed in a folder (`""`: the data directory) durable.
    fn sync_dir(&self, name: &str, point: SyncPoint) -> io::Result<()>;
    /// The names of the files and folders in a folder, in order; none if there is no such folder.
    fn list(&self, name: &str) -> io::Result<Vec<String>>;
    /// Keeps every other process from the data directory until the lock is dropped; `WouldBlock` if one has it.
    fn lock(&self) -> io::Result<DiskLock>;
    /// The data directory, for messages.
    fn place(&self) -> String;
    /// What a write takes in simulated time; `None` on a real disk.
    fn latency(&self) -> Option<Duration> {
        None
    }
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Fills `buf` from `offset` on; `UnexpectedEof` if the file ends before.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`, growing the file as needed.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// The file's size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes all that was written durable.
    fn sync(&self, point: SyncPoint) -> io::Result<()>;
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must be there.
    Existing,
    /// It is made empty if it is not there.
    Create,
}

/// Every place where the store waits for the disk. Leaving out any one of them loses data, and a test says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncPoint {
    /// The format file's content, before it gets its name.
    FormatFile,
    /// The format file's name and the folder of blobs.
    FormatDir,
    /// A commit's frame in the log: the one on which every acknowledgement waits.
    LogAppend,
    /// A new log segment's header.
    LogCreate,
    /// A new log segment's name; at a start the base's too.
    LogDir,
    /// What recovery found at the log's end, before anyone reads it.
    LogRecover,
    /// The base's own syncs.
    Base,
    /// A blob's content, before it gets its name.
    BlobFile,
    /// A blob's name.
    BlobDir,
}

impl SyncPoint {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::FormatFile,
        Self::FormatDir,
        Self::LogAppend,
        Self::LogCreate,
        Self::LogDir,
        Self::LogRecover,
        Self::Base,
        Self::BlobFile,
        Self::BlobDir,
    ];
}

/// Holds a data directory.
pub struct DiskLock(#[expect(dead_code, reason = "it is held, not looked at")] Box<dyn Any + Send + Sync>);

impl DiskLock {
    /// A lock that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskLock")
    }
}

/// Says what was being done when the disk refused.
pub(crate) fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    move |error| {
        let doing = doing.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { place: doing },
            kind => StoreError::Io { doing, kind, detail: error.to_string() },
        }
    }
}
