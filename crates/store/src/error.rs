//! What can go wrong in the store, in words for whoever runs it.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why the store could not do what was asked. Cheap to clone, for one failure may answer many waiting commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Other transactions kept changing what this one had read. Retryable.
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// A key, a value or a transaction beyond its bound; see [`crate::limits`].
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// How large it was.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A counter's operation met a value that is no counter.
    NotACounter {
        /// The key, escaped for reading.
        key: String,
    },
    /// A write in a read-only transaction: a mistake in the caller.
    ReadOnly,
    /// The transaction had already ended: a mistake in the caller.
    Finished,
    /// Stored bytes are not what was written.
    Corrupt {
        /// Where: a file, a key.
        place: String,
        /// What is wrong there.
        detail: String,
    },
    /// The store was written by a newer release.
    NewerFormat {
        /// The format number found.
        found: u32,
        /// The newest one that this release knows.
        supported: u32,
    },
    /// Another process has the data directory open.
    Locked {
        /// The directory.
        place: String,
    },
    /// The disk is full; nothing of the transaction was kept.
    Full {
        /// What was being written.
        place: String,
    },
    /// The file system refused.
    Io {
        /// What was being done, and to which file.
        doing: String,
        /// The kind of failure.
        kind: io::ErrorKind,
        /// The system's own words.
        detail: String,
    },
    /// An earlier failure to write stopped the store: it answers reads of what is durable, and takes no commits.
    /// The outcome of commits that were waiting is unknown until the store is opened again.
    Failed {
        /// The failure.
        reason: Arc<str>,
    },
    /// The store was closed.
    Closed,
}

impl StoreError {
    pub(crate) fn corrupt(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt { place: place.into(), detail: detail.into() }
    }

    pub(crate) fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), Self> {
        if size <= limit {
            return Ok(());
        }
        Err(Self::TooLarge { what, size: size as u64, limit: limit as u64 })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { attempts } => {
                write!(f, "the transaction met concurrent changes {attempts} times; try again later")
            }
            Self::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} is beyond the limit of {limit}; split it")
            }
            Self::NotACounter { key } => write!(f, "the value at {key} is no counter"),
            Self::ReadOnly => f.write_str("a read-only transaction cannot write; use `transact`"),
            Self::Finished => f.write_str("the transaction has already ended"),
            Self::Corrupt { place, detail } => {
                write!(f, "{place} is damaged: {detail}; run `apus fsck`, or restore a backup")
            }
            Self::NewerFormat { found, supported } => write!(
                f,
                "the store has format {found}, this release knows formats up to {supported}; use a newer release"
            ),
            Self::Locked { place } => {
                write!(f, "{place} is in use by another process; stop it or choose another data directory")
            }
            Self::Full { place } => write!(f, "the disk is full, writing {place}; free some space"),
            Self::Io { doing, detail, .. } => write!(f, "{doing}: {detail}"),
            Self::Failed { reason } => {
                write!(
                    f,
                    "the store takes no writes since an earlier failure ({reason}); restart after repair"
                )
            }
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}
