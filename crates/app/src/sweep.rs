//! Blobs that a crash left behind: written, and not yet or no longer referred to.
//!
//! They are listed before anything new can be written, so that what is under way is never among them; a blob of
//! an earlier run can lose its reference, and never gains one. So the rest may take its time in the background.

use apus_store::{BlobId, Store, StoreError};

/// The blobs of earlier runs.
pub struct Sweep {
    store: Store,
    blobs: Vec<BlobId>,
}

impl Sweep {
    /// Lists what there is. The store must have just been opened, and nobody may be writing yet.
    pub async fn begin(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { store: store.clone(), blobs: store.blobs().list().await? })
    }

    /// Those that nobody refers to.
    pub async fn unreferenced(&self) -> Result<Vec<BlobId>, StoreError> {
        let Self { store, blobs } = self;
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let functions = apus_service_lambda::referenced_blobs(store).await?;
        let mut found = Vec::new();
        for blob in blobs {
            if !functions.contains(blob) && !apus_service_s3::refers_to(store, *blob).await? {
                found.push(*blob);
            }
        }
        Ok(found)
    }

    /// Deletes those that nobody refers to; how many they were.
    pub async fn run(self) -> Result<usize, StoreError> {
        let unreferenced = self.unreferenced().await?;
        for blob in &unreferenced {
            self.store.blobs().delete(*blob).await?;
        }
        Ok(unreferenced.len())
    }
}
