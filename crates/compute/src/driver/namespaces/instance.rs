//! What is found again by the next run with the same directory: its locks and its control groups.

use std::fs::File;
use std::io;
use std::path::Path;

use super::cgroups::Groups;
use crate::driver::{Level, StartError};

/// Takes the directory for this process, refusing another that lives, and waits for the spawner of an earlier
/// one that does not: the second lock is shared with the spawner.
pub(super) fn lock(run_dir: &Path) -> Result<[File; 2], StartError> {
    use rustix::fs::FlockOperation::{LockExclusive, NonBlockingLockExclusive};

    let take = |name: &str, how| {
        let path = run_dir.join(name);
        let refused = |why: String| StartError::Host(format!("lock {}: {why}", path.display()));
        let file = File::create(&path).map_err(|error| refused(error.to_string()))?;
        match rustix::fs::flock(&file, how) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(refused("another process uses this directory; end it or choose another directory".into()))
            }
            Err(error) => Err(refused(error.to_string())),
        }
    };
    Ok([take("platform.lock", NonBlockingLockExclusive)?, take("sandboxes.lock", LockExclusive)?])
}

/// Ends what an earlier run with this directory left behind and removes its control groups; returns how many
/// processes there were. Waits for a spawner that is about to do it itself; refuses while a platform lives.
/// [`NamespaceDriver::start`] does this too.
pub fn sweep(run_dir: &Path) -> Result<u32, StartError> {
    let host =
        |error: io::Error| StartError::Host(format!("remove what an earlier run left behind: {error}"));
    if !run_dir.exists() {
        return Ok(0);
    }
    let _locks = lock(run_dir)?;
    let level = if rustix::process::geteuid().is_root() { Level::Full } else { Level::Rootless };
    let groups = Groups::new(super::layout(level), &cgroup_name(run_dir).map_err(host)?, false);
    groups.sweep().map_err(host)
}

/// The control groups of an instance, from the root of each hierarchy: found again by its directory, which must
/// exist.
pub fn cgroup_name(run_dir: &Path) -> io::Result<String> {
    let path = run_dir.canonicalize()?;
    // FNV-1a: short, and the same in every version.
    let hash = path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(format!("apus/{hash:016x}"))
}
