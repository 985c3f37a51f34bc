//! A sandbox's root file system as data: an allow-list of entries, made in order in an empty directory.
//! Who makes them, and with what privilege, is the driver's business.

use minicbor::{Decode, Encode};

/// One entry; paths inside the sandbox begin with `/`. Missing parents are made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RootEntry {
    /// An empty directory that nobody inside may write to.
    #[n(0)]
    Directory {
        /// Where.
        #[n(0)]
        path: String,
    },
    /// A directory of the host, read-only; mounts beneath it do not follow.
    #[n(1)]
    Bind {
        /// The host's directory.
        #[n(0)]
        source: String,
        /// Where it appears.
        #[n(1)]
        path: String,
    },
    /// A file of the host, read-only.
    #[n(2)]
    BindFile {
        /// The host's file.
        #[n(0)]
        source: String,
        /// Where it appears.
        #[n(1)]
        path: String,
    },
    /// Several directories of the host as one, read-only; the last shows first.
    #[n(3)]
    Merged {
        /// The host's directories, lowest first.
        #[n(0)]
        sources: Vec<String>,
        /// Where they appear.
        #[n(1)]
        path: String,
    },
    /// A writable directory in memory with a size limit.
    #[n(4)]
    Scratch {
        /// Where.
        #[n(0)]
        path: String,
        /// Its size limit.
        #[n(1)]
        bytes: u64,
    },
    /// An empty read-only directory over one that an earlier entry shows.
    #[n(5)]
    Hidden {
        /// Where.
        #[n(0)]
        path: String,
    },
    /// A symbolic link.
    #[n(6)]
    Link {
        /// Where.
        #[n(0)]
        path: String,
        /// What it names.
        #[n(1)]
        target: String,
    },
    /// A small read-only file.
    #[n(7)]
    File {
        /// Where.
        #[n(0)]
        path: String,
        /// Its content.
        #[n(1)]
        text: String,
    },
    /// A device of the host, such as `null`, in `/dev`.
    #[n(8)]
    Device {
        /// Its name.
        #[n(0)]
        name: String,
    },
    /// The processes of the sandbox, at `/proc`, with what tells of the host masked.
    #[n(9)]
    Processes,
}
