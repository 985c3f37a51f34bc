//! Backups: everything of one moment, taken while the store is in use, as one stream.

use std::io::{Read, Write};
use std::sync::Arc;

use apus_env::Env;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::archive::{ARCHIVE, Block, wrong};
use crate::blobs::{BLOB_READ_MAX, Blobs};
use crate::disk::{Disk, io_error};
use crate::embedded::{self, FORMAT, Options};
use crate::error::StoreError;
use crate::key::Key;
use crate::range::{Direction, Range};
use crate::state::State;
use crate::store::Store;

/// Rows go into one block up to about so many bytes.
const BLOCK_BYTES: usize = 4 << 20;

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// Keys with their values.
    pub rows: u64,
    /// Blobs. There may be some that nothing refers to.
    pub blobs: u64,
}

/// Writes all of the store, as it is now, to `sink`. The store goes on meanwhile; blobs that are deleted in
/// between go when the backup is done. The sink is flushed; syncing it is the caller's part.
pub async fn backup(
    store: &Store,
    mut sink: impl Write + Send + 'static,
) -> Result<BackupSummary, StoreError> {
    let (tell, told) = oneshot::channel();
    let (blobs, source) = (store.blobs().clone(), store.clone());
    let _detached = store.env().spawn_thread("store-backup", async move {
        // Held first: every blob that the version refers to is still there.
        blobs.hold();
        let written = match source.version() {
            Ok(state) => write(&state, &blobs, &mut sink).await,
            Err(error) => Err(error),
        };
        let released = blobs.release().await;
        let _ = tell.send(written.and_then(|summary| released.map(|()| summary)));
    });
    told.await.map_err(|_| StoreError::Closed)?
}

async fn write(
    state: &State,
    blobs: &Blobs,
    sink: &mut (dyn Write + Send),
) -> Result<BackupSummary, StoreError> {
    let wrap = |error| io_error("writing the backup")(error);
    Block::Begin { archive: ARCHIVE, format: FORMAT }.write(sink).map_err(wrap)?;
    let ids = blobs.list().await?;
    let rows = write_rows(state, sink)?;
    let mut count = 0;
    for id in ids {
        // One that was deleted between the hold and the list was not referred to.
        let Some(reader) = blobs.open_blob(id).await? else { continue };
        Block::Blob(id).write(sink).map_err(wrap)?;
        let mut offset = 0;
        while offset < reader.size() {
            let data = reader.read_at(offset, BLOB_READ_MAX).await?;
            offset += data.len() as u64;
            Block::Data(data).write(sink).map_err(wrap)?;
        }
        count += 1;
    }
    let summary = BackupSummary { rows, blobs: count };
    Block::End { rows, blobs: count }.write(sink).map_err(wrap)?;
    sink.flush().map_err(wrap)?;
    Ok(summary)
}

fn write_rows(state: &State, sink: &mut (dyn Write + Send)) -> Result<u64, StoreError> {
    let all = Range::all();
    let (mut block, mut bytes, mut count) = (Vec::new(), 0, 0);
    let mut write = |block: &mut Vec<(Bytes, Bytes)>| {
        let rows = Block::Rows(std::mem::take(block));
        rows.write(sink).map_err(|error| io_error("writing the backup")(error))
    };
    for row in state.scan(&all, Direction::Forward)? {
        let (key, value) = row?;
        bytes += key.len() + value.len();
        block.push((key, value));
        count += 1;
        if bytes >= BLOCK_BYTES {
            write(&mut block)?;
            bytes = 0;
        }
    }
    write(&mut block)?;
    Ok(count)
}

/// Makes a store from a backup, on a disk that holds none. If it is interrupted, the store refuses to open.
pub async fn restore(
    env: &Env,
    mut source: impl Read + Send,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<BackupSummary, StoreError> {
    let store = embedded::open_for_restore(env, disk, options)?;
    let restored = read(&store, &mut source).await;
    if restored.is_ok() {
        store.checkpoint().await?;
    }
    store.close().await;
    if restored.is_ok() {
        embedded::restored(disk.as_ref())?;
    }
    restored
}

async fn read(store: &Store, source: &mut (dyn Read + Send)) -> Result<BackupSummary, StoreError> {
    match Block::read(source)? {
        Block::Begin { archive: ARCHIVE, format } if format <= FORMAT => {}
        Block::Begin { archive, format } => {
            return Err(StoreError::NewerFormat { found: archive.max(format), supported: FORMAT });
        }
        _ => return Err(wrong("it does not begin like one")),
    }
    let mut found = BackupSummary::default();
    let mut writer = None;
    loop {
        let block = Block::read(source)?;
        if !matches!(block, Block::Data(_))
            && let Some(writer) = writer.take()
        {
            finish(writer).await?;
        }
        match (block, &mut writer) {
            (Block::Rows(rows), _) => {
                found.rows += rows.len() as u64;
                put(store, rows).await?;
            }
            (Block::Blob(id), _) => {
                found.blobs += 1;
                writer = Some(store.blobs().create_as(id).await?);
            }
            (Block::Data(data), Some(writer)) => writer.write(data).await?,
            (Block::End { rows, blobs }, _) if (BackupSummary { rows, blobs }) == found => return Ok(found),
            (Block::End { .. }, _) => return Err(wrong("rows or blobs are missing")),
            (Block::Begin { .. } | Block::Data(_), _) => return Err(wrong("a block is out of place")),
        }
    }
}

async fn finish(writer: crate::blobs::BlobWriter) -> Result<(), StoreError> {
    writer.finish().await.map(drop)
}

async fn put(store: &Store, rows: Vec<(Bytes, Bytes)>) -> Result<(), StoreError> {
    store
        .transact(|tx| {
            for (key, value) in &rows {
                tx.put(&Key::from(key.clone()), value.clone());
            }
            async { Ok(()) }
        })
        .await
}
