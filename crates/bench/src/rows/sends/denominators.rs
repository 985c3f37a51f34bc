//! What durable sends are compared to in this process: the store's group commit, and append + fdatasync.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use apus_store::{Key, Store};

use crate::bare;
use crate::load::Client;

/// Records in one append + fdatasync.
pub(super) const RECORDS_PER_SYNC: usize = 128;

/// Commits one value after the other into a store.
pub(super) struct Writer {
    store: Store,
    number: usize,
    next: u64,
    bytes: usize,
}

impl Writer {
    /// So many that commit so many bytes each time.
    pub(super) fn many(count: usize, store: &Store, bytes: usize) -> Vec<Self> {
        (0..count).map(|number| Self { store: store.clone(), number, next: 0, bytes }).collect()
    }
}

impl Client for Writer {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let key = Key::of(("bench", self.number as u64, self.next));
        self.next += 1;
        bare::commit(&self.store, &key, self.bytes).await?;
        Ok(Some(1))
    }
}

/// Appends records to a file, many with one sync.
pub(super) struct Appender {
    file: File,
    records: Vec<u8>,
}

impl Appender {
    pub(super) fn new(path: &Path, bytes: usize) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file, records: vec![b'x'; bytes * RECORDS_PER_SYNC] })
    }
}

impl Client for Appender {
    const BLOCKS: bool = true;

    async fn step(&mut self) -> Result<Option<u64>, String> {
        let written = self.file.write_all(&self.records).and_then(|()| self.file.sync_data());
        written.map_err(|error| format!("append: {error}"))?;
        Ok(Some(RECORDS_PER_SYNC as u64))
    }
}
