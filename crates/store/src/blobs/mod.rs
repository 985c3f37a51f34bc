//! Blobs: bytes too many for a value, in a file each, written once.
//!
//! A blob gets its name only after its content is safe, so whoever has an id of a finished one has a blob.
//! Who refers to it is the callers' business: what a crash leaves without a reference, they sweep.

mod id;
mod pool;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::Env;
use bytes::Bytes;

use crate::disk::{Disk, DiskFile, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;
use pool::Pool;

pub use id::BlobId;

/// The folder of blobs in the data directory.
pub(crate) const FOLDER: &str = "blobs";
/// Behind the name of a blob that is being written.
const TEMPORARY: &str = ".tmp";
/// The most that one read gives, in bytes.
pub const BLOB_READ_MAX: usize = 1 << 20;

/// The blobs of a store. Clones are handles on the same ones.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    env: Env,
    disk: Arc<dyn Disk>,
    pool: Pool,
    held: Mutex<Held>,
}

/// Deletions that wait until nobody holds the blobs as they are.
#[derive(Default)]
struct Held {
    holders: usize,
    deleted: Vec<BlobId>,
}

impl Blobs {
    /// The blobs on a disk; what was being written when it was last used is removed.
    pub(crate) fn open(env: &Env, disk: &Arc<dyn Disk>) -> Result<Self, StoreError> {
        let wrap = |error| io_error("opening the folder of blobs")(error);
        disk.create_dir(FOLDER).map_err(wrap)?;
        for name in disk.list(FOLDER).map_err(wrap)? {
            if name.ends_with(TEMPORARY) {
                disk.remove(&format!("{FOLDER}/{name}")).map_err(wrap)?;
            }
        }
        let pool = Pool::new(env.clone(), disk.latency().is_some().then(|| disk.clone()));
        let (env, disk) = (env.clone(), disk.clone());
        Ok(Self { inner: Arc::new(Inner { env, disk, pool, held: Mutex::default() }) })
    }

    /// Begins a blob.
    pub async fn create(&self) -> Result<BlobWriter, StoreError> {
        self.create_as(BlobId::random(&self.inner.env)).await
    }

    /// Begins a blob that had its id before: one of a backup.
    pub(crate) async fn create_as(&self, id: BlobId) -> Result<BlobWriter, StoreError> {
        let temporary = format!("{FOLDER}/{id}{TEMPORARY}");
        let name = temporary.clone();
        let file =
            self.run(move |disk| disk.open(&name, OpenMode::Create), format!("creating blob {id}")).await?;
        Ok(BlobWriter { blobs: self.clone(), id, file, size: 0, temporary: Some(temporary) })
    }

    /// Writes a blob that is at hand as a whole.
    pub async fn put(&self, content: Bytes) -> Result<BlobId, StoreError> {
        let mut writer = self.create().await?;
        writer.write(content).await?;
        writer.finish().await
    }

    /// Opens a blob for reading; `None` if there is none with this id. It stays readable while it is open,
    /// even if it is deleted meanwhile.
    pub async fn open_blob(&self, id: BlobId) -> Result<Option<BlobReader>, StoreError> {
        let open = move |disk: &dyn Disk| match disk.open(&format!("{FOLDER}/{id}"), OpenMode::Existing) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            file => {
                let file = file?;
                let size = file.size()?;
                Ok(Some((file, size)))
            }
        };
        let found = self.run(open, format!("opening blob {id}")).await?;
        Ok(found.map(|(file, size)| BlobReader { blobs: self.clone(), id, file, size }))
    }

    /// Deletes a blob, if it is there. A crash soon after may bring it back, without a reference.
    pub async fn delete(&self, id: BlobId) -> Result<(), StoreError> {
        {
            let mut held = self.held();
            if held.holders > 0 {
                held.deleted.push(id);
                return Ok(());
            }
        }
        self.remove(id).await
    }

    /// The ids of all blobs, in order: for callers that look for those without a reference.
    pub async fn list(&self) -> Result<Vec<BlobId>, StoreError> {
        let names = self.run(|disk| disk.list(FOLDER), "listing the blobs".into()).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Keeps every blob that is there until [`Self::release`], whatever is deleted.
    pub(crate) fn hold(&self) {
        self.held().holders += 1;
    }

    /// Ends a [`Self::hold`] and makes the deletions that waited for it.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        let deleted = {
            let mut held = self.held();
            held.holders -= 1;
            if held.holders > 0 { Vec::new() } else { std::mem::take(&mut held.deleted) }
        };
        for id in deleted {
            self.remove(id).await?;
        }
        Ok(())
    }

    async fn remove(&self, id: BlobId) -> Result<(), StoreError> {
        let remove = move |disk: &dyn Disk| match disk.remove(&format!("{FOLDER}/{id}")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result,
        };
        self.run(remove, format!("deleting blob {id}")).await
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Disk) -> std::io::Result<T> + Send + 'static,
        doing: String,
    ) -> Result<T, StoreError> {
        let disk = self.inner.disk.clone();
        self.inner.pool.run(move || job(disk.as_ref())).await?.map_err(io_error(doing))
    }
}

/// A blob being written. Dropped before it is finished, it leaves nothing.
pub struct BlobWriter {
    blobs: Blobs,
    id: BlobId,
    file: Arc<dyn DiskFile>,
    size: u64,
    /// Its name until it is finished.
    temporary: Option<String>,
}

impl BlobWriter {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let (file, offset, length) = (self.file.clone(), self.size, bytes.len() as u64);
        let write = move |_: &dyn Disk| file.write_at(offset, &bytes);
        self.blobs.run(write, format!("writing blob {}", self.id)).await?;
        self.size += length;
        Ok(())
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the blob durable, under the id that is returned. Only now may anything refer to it.
    pub async fn finish(mut self) -> Result<BlobId, StoreError> {
        let (id, file) = (self.id, self.file.clone());
        let Some(temporary) = self.temporary.clone() else { return Ok(id) };
        let finish = move |disk: &dyn Disk| {
            file.sync(SyncPoint::BlobFile)?;
            disk.rename(&temporary, &format!("{FOLDER}/{id}"))?;
            disk.sync_dir(FOLDER, SyncPoint::BlobDir)
        };
        self.blobs.run(finish, format!("finishing blob {id}")).await?;
        self.temporary = None;
        Ok(id)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // If it fails, the next start sweeps.
            let _ = self.blobs.inner.disk.remove(&temporary);
        }
    }
}

/// A blob being read.
#[derive(Clone)]
pub struct BlobReader {
    blobs: Blobs,
    id: BlobId,
    file: Arc<dyn DiskFile>,
    size: u64,
}

impl BlobReader {
    /// The blob's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Up to `length` bytes from `offset` on, [`BLOB_READ_MAX`] at most; none at or after the end.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let left = self.size.saturating_sub(offset).min(length.min(BLOB_READ_MAX) as u64);
        if left == 0 {
            return Ok(Bytes::new());
        }
        let file = self.file.clone();
        let read = move |_: &dyn Disk| {
            let mut content = vec![0; left as usize];
            file.read_at(offset, &mut content)?;
            Ok(Bytes::from(content))
        };
        self.blobs.run(read, format!("reading blob {}", self.id)).await
    }

    /// All of it, if it is no longer than `limit` bytes.
    pub async fn read_all(&self, limit: usize) -> Result<Bytes, StoreError> {
        StoreError::check_size("a blob read as a whole", self.size as usize, limit)?;
        let mut content = Vec::with_capacity(self.size as usize);
        while (content.len() as u64) < self.size {
            content.extend_from_slice(&self.read_at(content.len() as u64, BLOB_READ_MAX).await?);
        }
        Ok(content.into())
    }
}

macro_rules! debug_by_id {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("id", &self.id).field("size", &self.size).finish_non_exhaustive()
            }
        }
    )*};
}

debug_by_id!(BlobWriter BlobReader);

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blobs")
    }
}
