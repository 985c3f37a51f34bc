//! The changes that a disk makes: the points at which the power can go.

use super::super::SyncPoint;

/// One change of the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What is done.
    pub act: Act,
    /// To what: the name that a file was opened by, the new one of a rename, the folder of a sync of names.
    pub name: String,
}

/// What can be done to a disk, but for reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// An empty file gets its name.
    Create,
    /// A folder is made.
    CreateDir,
    /// Bytes are written.
    Write,
    /// A file is cut or extended.
    SetLen,
    /// A file gets another name.
    Rename,
    /// A name goes.
    Remove,
    /// A file's content is made durable.
    Sync(SyncPoint),
    /// The names in a folder are made durable.
    SyncDir(SyncPoint),
}
