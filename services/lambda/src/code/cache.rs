//! Unpacked code on disk, by the hash of its package: made once, read by many environments, let go when
//! nobody uses it and room is short.
//!
//! A directory appears under its final name only when it is whole, so that a crash leaves nothing half done.
//! Nothing is synced: what lies here can be made again, and a directory named by the machine's boot holds
//! it, so that what a power failure may have torn is never looked at again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::Env;
use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore, oneshot};
use tracing::{info, warn};

use super::package::CodeHash;
use super::unpack::{UnpackError, unpack};

/// Packages that are unpacked at once; more wait.
const UNPACKING_MAX: usize = 4;
/// What a directory that is not whole begins with.
const STAGING: &str = ".staging-";

/// Unpacked code. It stays on disk for as long as somebody holds it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnpackedCode {
    /// Where it lies.
    pub(crate) directory: PathBuf,
    /// Its size, in bytes.
    pub(crate) bytes: u64,
}

/// The cache.
pub(crate) struct CodeCache {
    env: Env,
    directory: PathBuf,
    bytes_max: u64,
    slots: Mutex<Slots>,
    unpacking: Semaphore,
}

#[derive(Default)]
struct Slots {
    by_hash: BTreeMap<String, Slot>,
    uses: u64,
}

#[derive(Default)]
struct Slot {
    code: Arc<OnceCell<Arc<UnpackedCode>>>,
    /// The number of its last use, among all uses.
    used: u64,
}

impl CodeCache {
    /// The cache in that directory, which is this instance's alone, of `bytes_max` bytes. Code that
    /// environments use stays beyond that.
    pub(crate) fn open(env: Env, directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let own = directory.join(boot_id().unwrap_or_else(|| env.uuid_v4()));
        fs::create_dir_all(&own)?;
        // Sandboxes enter it as another user.
        for each in [directory, &own] {
            fs::set_permissions(each, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path != own {
                remove(&path);
            }
        }
        let mut by_hash = BTreeMap::new();
        for entry in fs::read_dir(&own)? {
            let path = entry?.path();
            let Some((hash, bytes)) = path.file_name().and_then(|name| name.to_str()).and_then(parse_name)
            else {
                remove(&path);
                continue;
            };
            let code = UnpackedCode { directory: path.clone(), bytes };
            let code = Arc::new(OnceCell::new_with(Some(Arc::new(code))));
            by_hash.insert(hash, Slot { code, used: 0 });
        }
        let slots = Mutex::new(Slots { by_hash, uses: 0 });
        let unpacking = Semaphore::new(UNPACKING_MAX);
        Ok(Self { env, directory: own, bytes_max, slots, unpacking })
    }

    /// The unpacked code of that package. It is loaded and unpacked if it is not there; whoever asks for it
    /// in the meantime waits for the same work.
    pub(crate) async fn get<E: From<UnpackError>>(
        &self,
        hash: CodeHash,
        load: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Arc<UnpackedCode>, E> {
        let name = hash.to_string();
        let cell = {
            let mut slots = self.slots();
            slots.uses += 1;
            let uses = slots.uses;
            let slot = slots.by_hash.entry(name.clone()).or_default();
            slot.used = uses;
            Arc::clone(&slot.code)
        };
        let fresh = !cell.initialized();
        let code = cell.get_or_try_init(|| async { self.unpack(name, load.await?).await.map_err(E::from) });
        let code = code.await.map(Arc::clone);
        drop(cell);
        if fresh {
            self.make_room();
        }
        code
    }

    async fn unpack(&self, name: String, bytes: Bytes) -> Result<Arc<UnpackedCode>, UnpackError> {
        let _turn = self.unpacking.acquire().await.map_err(io::Error::other)?;
        let staging = self.directory.join(format!("{STAGING}{}", self.env.uuid_v4()));
        let directory = self.directory.clone();
        let (done, unpacked) = oneshot::channel();
        let work = async move {
            let unpacked = unpack_whole(&bytes, &staging, &directory, &name);
            if unpacked.is_err() {
                remove(&staging);
            }
            // Whoever asked may be gone; the next one asks again.
            let _ = done.send(unpacked);
        };
        self.env.spawn_thread("unpack code", work);
        unpacked.await.map_err(io::Error::other)?
    }

    /// Lets go of what was used least recently and is not in use, until the rest has room.
    fn make_room(&self) {
        let mut slots = self.slots();
        // What could not be unpacked leaves no trace.
        slots.by_hash.retain(|_, slot| slot.code.initialized() || Arc::strong_count(&slot.code) > 1);
        let size = |slot: &Slot| slot.code.get().map_or(0, |code| code.bytes);
        let mut total: u64 = slots.by_hash.values().map(size).sum();
        let mut gone = Vec::new();
        while total > self.bytes_max {
            let unused = |slot: &Slot| {
                Arc::strong_count(&slot.code) == 1
                    && slot.code.get().is_some_and(|code| Arc::strong_count(code) == 1)
            };
            let oldest =
                slots.by_hash.iter().filter(|(_, slot)| unused(slot)).min_by_key(|(_, slot)| slot.used);
            let Some(hash) = oldest.map(|(hash, _)| hash.clone()) else { break };
            let Some(slot) = slots.by_hash.remove(&hash) else { break };
            total -= size(&slot);
            if let Some(code) = slot.code.get() {
                // Out of the way at once, so that its name is free again.
                let away = self.directory.join(format!("{STAGING}{}", self.env.uuid_v4()));
                match fs::rename(&code.directory, &away) {
                    Ok(()) => gone.push(away),
                    Err(error) => warn!(path = %code.directory.display(), %error, "unpacked code stays"),
                }
            }
        }
        drop(slots);
        if !gone.is_empty() {
            info!(packages = gone.len(), "let go of unpacked code");
            self.env.spawn_thread("remove code", async move {
                for path in &gone {
                    remove(path);
                }
            });
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unpack_whole(
    bytes: &[u8],
    staging: &Path,
    directory: &Path,
    name: &str,
) -> Result<Arc<UnpackedCode>, UnpackError> {
    let unpacked_bytes = unpack(bytes, staging)?;
    let whole = directory.join(format!("{name}.{unpacked_bytes}"));
    if whole.exists() {
        // Unpacked by somebody who went away before they could say so.
        remove(staging);
    } else {
        fs::rename(staging, &whole)?;
    }
    Ok(Arc::new(UnpackedCode { directory: whole, bytes: unpacked_bytes }))
}

/// Hash and size from a directory's name.
fn parse_name(name: &str) -> Option<(String, u64)> {
    let (hash, bytes) = name.split_once('.')?;
    let valid = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if valid { Some((hash.to_owned(), bytes.parse().ok()?)) } else { None }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        warn!(path = %path.display(), %error, "cannot remove old unpacked code; remove it by hand");
    }
}

/// What changes with every start of the machine, where the system tells it.
fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    let valid = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
