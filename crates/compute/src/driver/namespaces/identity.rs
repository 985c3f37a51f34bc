//! Who a sandbox is: one user in a user namespace of its own, without any privilege there or elsewhere.
//! On the host that user is one of the sandbox's slot or, without root, the platform's own.
#![allow(unsafe_code)]

use std::fs;
use std::io;

use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets, UnshareFlags};

use super::mounts::{Step, at};
use crate::host_root::{INSIDE_GID, INSIDE_UID};

/// Moves this process, which has one thread, into user, mount and network namespaces in which it has every
/// privilege: what root has on the host. Its user stays the same, and is the only one there.
pub(super) fn enter_own_world() -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let world = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWNET;
    // SAFETY: this process has one thread, and no descriptor's meaning depends on what is left.
    unsafe { rustix::thread::unshare_unsafe(world)? };
    map_one((user, user), (group, group))
}

/// Becomes the sandbox's user: `user` of the host, if this process may choose, else its own.
pub(super) fn become_nobody(user: Option<u32>) -> Step<()> {
    if user.is_some() {
        at(
            || "keep privileges for a moment".into(),
            rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP),
        )?;
        become_user(user)?;
    }
    let outside = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // The files by which a process maps its users belong to root while it may not be dumped.
    let dumpable =
        |behavior| at(|| "guard the first process".into(), rustix::process::set_dumpable_behavior(behavior));
    dumpable(DumpableBehavior::Dumpable)?;
    at(|| "make a user namespace".into(), unsafe {
        // SAFETY: this process has one thread.
        rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER)
    })?;
    at(|| "map the user".into(), map_one((INSIDE_UID, outside.0), (INSIDE_GID, outside.1)))?;
    dumpable(DumpableBehavior::NotDumpable)?;
    drop_capabilities()?;
    at(|| "refuse new privileges".into(), rustix::thread::set_no_new_privs(true))
}

/// Becomes that user of the host, and nobody else's group; whoever has no choice stays who he is.
pub(super) fn become_user(user: Option<u32>) -> Step<()> {
    let Some(user) = user else { return Ok(()) };
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    at(|| "leave all groups".into(), rustix::thread::set_thread_groups(&[]))?;
    at(|| "change the group".into(), rustix::thread::set_thread_res_gid(group, group, group))?;
    at(|| "change the user".into(), rustix::thread::set_thread_res_uid(user, user, user))
}

/// Maps one user and one group, each given as `(inside, outside)`.
fn map_one(user: (u32, u32), group: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1))
}

fn drop_capabilities() -> Step<()> {
    for capability in CapabilitySet::all().iter() {
        // Kernels older than the newest capability do not know it, and need not drop it.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(format!("drop capabilities: {error}")),
        }
    }
    at(
        || "lock the privileges".into(),
        rustix::thread::set_capabilities_secure_bits(
            CapabilitiesSecureBits::NO_ROOT
                | CapabilitiesSecureBits::NO_ROOT_LOCKED
                | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
                | CapabilitiesSecureBits::KEEP_CAPS_LOCKED,
        ),
    )?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    at(|| "drop capabilities".into(), rustix::thread::set_capabilities(None, sets))
}
