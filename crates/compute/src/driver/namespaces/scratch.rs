//! The scratch space of a sandbox: a file system in memory of a fixed size. The spawner makes it and keeps hold
//! of it, so that it can tell how much of a sandbox's memory is files, which on AWS lie on a disk.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen, move_mount,
};

use crate::driver::RootEntry;

const MODE: &str = "1777";

/// A file system that is mounted nowhere yet.
pub(super) struct Scratch {
    mount: OwnedFd,
    bytes: u64,
}

impl Scratch {
    /// Makes the one that a root asks for; a root has one at most.
    pub(super) fn of(root: &[RootEntry]) -> io::Result<Option<Self>> {
        let mut wanted = root.iter().filter_map(|entry| match entry {
            RootEntry::Scratch { bytes, .. } => Some(*bytes),
            _ => None,
        });
        let Some(bytes) = wanted.next() else { return Ok(None) };
        if wanted.next().is_some() {
            return Err(io::Error::other("a sandbox has one scratch space"));
        }
        let system = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(system.as_fd(), "size", bytes.to_string())?;
        fsconfig_set_string(system.as_fd(), "mode", MODE)?;
        fsconfig_create(system.as_fd())?;
        let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        Ok(Some(Self { mount: fsmount(system.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, safe)?, bytes }))
    }

    /// Its size limit.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is used of it, in bytes.
    pub(super) fn used_bytes(&self) -> io::Result<u64> {
        let state = rustix::fs::fstatfs(&self.mount)?;
        let blocks = state.f_blocks.saturating_sub(state.f_bfree);
        Ok(blocks * u64::try_from(state.f_bsize).unwrap_or_default())
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}

/// Mounts it in the mount namespace of this process.
pub(super) fn attach(mount: BorrowedFd<'_>, target: &std::path::Path) -> io::Result<()> {
    Ok(move_mount(mount, "", rustix::fs::CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}
