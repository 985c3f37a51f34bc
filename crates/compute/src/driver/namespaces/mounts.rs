//! Makes a root file system from its entries, in the mount namespace of the calling process, and moves
//! into it. Everything is `nosuid` and, but for scratch space, read-only in the end.
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountAttrFlags, MountFlags, MountPropagationFlags, UnmountFlags};

use super::scratch::attach;
use crate::driver::RootEntry;

/// Room for the directories, links and small files of a root.
const ROOT_OPTIONS: &str = "size=1m,nr_inodes=1024,mode=755";
const RESTRICTED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV);
const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
/// What `/proc` tells of the host rather than of the sandbox.
const MASKED: [&str; 8] =
    ["kcore", "keys", "key-users", "timer_list", "sched_debug", "kmsg", "kallsyms", "cmdline"];

/// Which step failed, and why.
pub(super) type Step<T> = Result<T, String>;

pub(super) fn at<T, E: std::fmt::Display>(what: impl FnOnce() -> String, result: Result<T, E>) -> Step<T> {
    result.map_err(|error| format!("{}: {error}", what()))
}

/// Assembles the root on an existing empty directory and makes it this process's root.
pub(super) fn enter(mount_point: &str, entries: &[RootEntry], scratch: Option<BorrowedFd<'_>>) -> Step<()> {
    at(
        || "make mounts private".into(),
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC),
    )?;
    at(
        || format!("mount a root on {mount_point}"),
        rustix::mount::mount("apus", mount_point, "tmpfs", SAFE, c_string(ROOT_OPTIONS).as_deref()),
    )?;
    let root = Path::new(mount_point);
    for entry in entries {
        make(root, entry, scratch)?;
    }
    at(
        || "make the root read-only".into(),
        rustix::mount::mount_remount(root, SAFE | MountFlags::RDONLY, c""),
    )?;
    at(|| "enter the new root".into(), rustix::process::chdir(root))?;
    at(|| "exchange the roots".into(), rustix::process::pivot_root(".", "."))?;
    at(|| "leave the old root".into(), rustix::mount::unmount(".", UnmountFlags::DETACH))?;
    at(|| "stand in the new root".into(), rustix::process::chdir("/"))
}

fn make(root: &Path, entry: &RootEntry, scratch: Option<BorrowedFd<'_>>) -> Step<()> {
    match entry {
        RootEntry::Directory { path } => directory(&beneath(root, path)),
        RootEntry::Bind { source, path } => {
            let target = beneath(root, path);
            directory(&target)?;
            bind(source, &target)
        }
        RootEntry::BindFile { source, path } => {
            let target = beneath(root, path);
            empty_file(&target)?;
            bind(source, &target)
        }
        RootEntry::Merged { sources, path } => merged(sources, &beneath(root, path)),
        RootEntry::Scratch { path, .. } => {
            let target = beneath(root, path);
            directory(&target)?;
            let scratch = scratch.ok_or_else(|| format!("mount {path}: it was not made"))?;
            at(|| format!("mount {path}"), attach(scratch, &target))
        }
        RootEntry::Hidden { path } => {
            let options = c_string("size=4k,nr_inodes=2,mode=755");
            at(
                || format!("hide {path}"),
                rustix::mount::mount(
                    "tmpfs",
                    beneath(root, path),
                    "tmpfs",
                    SAFE | MountFlags::RDONLY,
                    options.as_deref(),
                ),
            )
        }
        RootEntry::Link { path, target } => {
            let link = beneath(root, path);
            parent(&link)?;
            at(|| format!("link {path}"), symlink(target, &link))
        }
        RootEntry::File { path, text } => {
            let file = beneath(root, path);
            parent(&file)?;
            at(|| format!("write {path}"), fs::write(&file, text))?;
            at(|| format!("write {path}"), fs::set_permissions(&file, fs::Permissions::from_mode(0o444)))
        }
        RootEntry::Device { name } => {
            let target = beneath(root, &format!("/dev/{name}"));
            empty_file(&target)?;
            at(|| format!("bind /dev/{name}"), rustix::mount::mount_bind(format!("/dev/{name}"), &target))
        }
        RootEntry::Processes => processes(&beneath(root, "/proc")),
    }
}

fn processes(target: &Path) -> Step<()> {
    directory(target)?;
    at(
        || "mount /proc".into(),
        rustix::mount::mount(
            "proc",
            target,
            "proc",
            SAFE | MountFlags::NOEXEC,
            c_string("hidepid=invisible").as_deref(),
        ),
    )?;
    for name in MASKED {
        let file = target.join(name);
        if file.exists() {
            at(|| format!("mask /proc/{name}"), rustix::mount::mount_bind("/dev/null", &file))?;
        }
    }
    Ok(())
}

/// A bind mount is made writable first: the kernel ignores other flags at that moment.
fn bind(source: &str, target: &Path) -> Step<()> {
    at(|| format!("bind {source}"), rustix::mount::mount_bind(source, target))?;
    at(|| format!("make {source} read-only"), restrict(target))
}

/// Adds restrictions to a mount, and keeps those that it has: without root, none may be taken away.
fn restrict(target: &Path) -> io::Result<()> {
    let attributes =
        MountAttributes { set: u64::from(RESTRICTED.bits()), clear: 0, propagation: 0, user_namespace: 0 };
    let path = std::ffi::CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: the path is a terminated string and the attributes are as long as is said; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            0,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

fn merged(sources: &[String], target: &Path) -> Step<()> {
    directory(target)?;
    match sources {
        [] => Ok(()),
        [only] => bind(only, target),
        several => {
            let highest_first: Vec<&str> = several.iter().rev().map(String::as_str).collect();
            if highest_first.iter().any(|source| source.contains([':', ',', '\\'])) {
                return Err(format!("layer directories may not contain `:`, `,` or `\\`: {highest_first:?}"));
            }
            let options = format!("lowerdir={}", highest_first.join(":"));
            at(
                || format!("merge layers on {}", target.display()),
                rustix::mount::mount(
                    "overlay",
                    target,
                    "overlay",
                    SAFE | MountFlags::RDONLY,
                    c_string(&options).as_deref(),
                ),
            )
        }
    }
}

fn beneath(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn directory(path: &Path) -> Step<()> {
    if path.is_dir() {
        return Ok(());
    }
    at(|| format!("make {}", path.display()), fs::DirBuilder::new().recursive(true).mode(0o755).create(path))
}

fn parent(path: &Path) -> Step<()> {
    path.parent().map_or(Ok(()), directory)
}

fn empty_file(path: &Path) -> Step<()> {
    parent(path)?;
    at(|| format!("make {}", path.display()), fs::File::create(path).map(drop))
}

fn c_string(text: &str) -> Option<std::ffi::CString> {
    std::ffi::CString::new(text).ok()
}

/// That an empty directory to assemble roots on exists.
pub(super) fn prepare_mount_point(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}
