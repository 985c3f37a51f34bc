//! The base: everything up to the last checkpoint, in redb. Rows lie in blocks ([`super::block`]), long values in
//! pieces ([`super::pieces`]).

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend, Table, TableDefinition, TableHandle,
};

use super::block::Block;
use super::view::View;
use super::{pack, pieces};
use crate::disk::{Disk, DiskFile, DiskLock, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;
use crate::key::show;
use crate::state::{Base, Overlay};

const FILE: &str = "base";
const UNFINISHED: &str = "base.new";

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
const BLOCKS: Definition = TableDefinition::new("blocks");
const PIECES: Definition = TableDefinition::new("pieces");
/// Where format 1 had each row by itself.
const SINGLE_ROWS: Definition = TableDefinition::new("data");
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
/// The sequence number of the last log frame that is in the base.
const APPLIED: &str = "applied";

/// Keys and their bytes, open for writing.
pub(super) type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;

pub(super) struct BaseStore {
    database: Database,
    /// Held as long as anyone uses the files.
    _lock: Option<DiskLock>,
}

/// What of a panic of the engine is told.
const PANIC_CHARS_MAX: usize = 200;

impl BaseStore {
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        cache_bytes: usize,
        lock: Option<DiskLock>,
    ) -> Result<Self, StoreError> {
        let wrap = |error| io_error("opening the base")(error);
        let names = disk.list("").map_err(wrap)?;
        let exists = names.iter().any(|name| name == FILE);
        // redb does not survive a crash while it makes a new file, so that one gets its name when it is whole.
        let name = if exists { FILE } else { UNFINISHED };
        let file = disk.open(name, OpenMode::Create).map_err(wrap)?;
        if !exists {
            file.set_len(0).map_err(wrap)?;
        }
        let database = sane(|| {
            Builder::new().set_cache_size(cache_bytes).create_with_backend(Backend(file)).map_err(failed)
        })?;
        let base = Self { database, _lock: lock };
        if exists {
            base.convert()?;
        } else {
            base.apply(&Overlay::new(), 0)?;
            // The new name is safe before the first commit is: the log's first segment syncs the same folder.
            disk.rename(UNFINISHED, FILE).map_err(wrap)?;
        }
        Ok(base)
    }

    /// Lets redb look through its own structures.
    pub(super) fn check_integrity(&mut self) -> Result<(), StoreError> {
        match self.database.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::corrupt("the base", "its checksums did not hold; it was repaired")),
            Err(error) => Err(failed(error)),
        }
    }

    /// Looks for blocks whose rows are out of order, and for pieces that no value has. That values have their pieces
    /// shows when they are read.
    pub(super) fn check_rows(self: &Arc<Self>) -> Result<Vec<StoreError>, StoreError> {
        let view = self.open_view()?;
        let mut damage = Vec::new();
        let mut last = None;
        for block in view.blocks.range::<&[u8]>(..).map_err(failed)? {
            let (first, bytes) = block.map_err(failed)?;
            let (first, rows) = (first.value(), Block::new(first.value(), bytes.value()).rows());
            let rows = match rows {
                Ok(rows) => rows,
                Err(error) => {
                    damage.push(error);
                    continue;
                }
            };
            let begins = rows.first().is_some_and(|(key, _)| key == first);
            let after_the_last = last.is_none_or(|last| rows.first().is_some_and(|(key, _)| last < *key));
            if !begins || !after_the_last || !rows.is_sorted_by(|(one, _), (other, _)| one < other) {
                damage.push(StoreError::corrupt(
                    format!("the block at {}", show(first)),
                    "its rows are out of order",
                ));
            }
            last = rows.into_iter().next_back().map(|(key, _)| key);
        }
        for piece in view.pieces.range::<&[u8]>(..).map_err(failed)? {
            let (piece, _) = piece.map_err(failed)?;
            let (key, index) = pieces::read_key(piece.value());
            if index >= view.stored(key)?.as_ref().map_or(0, pieces::count) {
                damage
                    .push(StoreError::corrupt(format!("the value at {}", show(key)), "a piece is left over"));
            }
        }
        Ok(damage)
    }

    /// The last log frame that is in here.
    pub(super) fn applied(&self) -> Result<u64, StoreError> {
        let meta = self.database.begin_read().map_err(failed)?.open_table(META).map_err(failed)?;
        let applied = meta.get(APPLIED).map_err(failed)?;
        Ok(applied.map_or(0, |applied| applied.value()))
    }

    /// Moves changes in, up to the log frame `applied`: all of them or none.
    pub(super) fn apply(&self, changes: &Overlay, applied: u64) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        // A little more to write here spares a walk through everything after a crash.
        transaction.set_quick_repair(true);
        {
            let mut blocks = transaction.open_table(BLOCKS).map_err(failed)?;
            let mut pieces = transaction.open_table(PIECES).map_err(failed)?;
            pack::merge(&mut blocks, &mut pieces, changes)?;
            let mut meta = transaction.open_table(META).map_err(failed)?;
            meta.insert(APPLIED, applied).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Takes over what format 1 has left, at once or not at all.
    fn convert(&self) -> Result<(), StoreError> {
        if !self.has_single_rows()? {
            return Ok(());
        }
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction.set_quick_repair(true);
        tracing::info!("taking over the rows of format 1: some ten seconds for each GB, once");
        {
            let rows = transaction.open_table(SINGLE_ROWS).map_err(failed)?;
            pack::convert(&mut transaction.open_table(BLOCKS).map_err(failed)?, &rows)?;
        }
        transaction.delete_table(SINGLE_ROWS).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn has_single_rows(&self) -> Result<bool, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let mut tables = transaction.list_tables().map_err(failed)?;
        Ok(tables.any(|table| table.name() == SINGLE_ROWS.name()))
    }

    /// Everything as it is now, whatever comes later.
    pub(super) fn view(self: &Arc<Self>) -> Result<Arc<dyn Base>, StoreError> {
        Ok(Arc::new(self.open_view()?))
    }

    #[cfg(test)]
    pub(super) fn block_count(self: &Arc<Self>) -> Result<u64, StoreError> {
        redb::ReadableTableMetadata::len(&self.open_view()?.blocks).map_err(failed)
    }

    /// What format 1 did with rows.
    #[cfg(test)]
    pub(super) fn put_single_rows(
        &self,
        rows: &[(bytes::Bytes, Option<bytes::Bytes>)],
    ) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut table = transaction.open_table(SINGLE_ROWS).map_err(failed)?;
            for (key, value) in rows {
                let stored = [&[0], value.as_deref().unwrap_or_default()].concat();
                table.insert(key.as_ref(), stored.as_slice()).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    fn open_view(self: &Arc<Self>) -> Result<View, StoreError> {
        let transaction: ReadTransaction = self.database.begin_read().map_err(failed)?;
        let blocks = transaction.open_table(BLOCKS).map_err(failed)?;
        let pieces = transaction.open_table(PIECES).map_err(failed)?;
        Ok(View { blocks, pieces, _store: self.clone() })
    }
}

/// redb's file, on our disk.
struct Backend(Arc<dyn DiskFile>);

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FILE)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync(SyncPoint::Base)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write_at(offset, data)
    }
}

/// Looks at the base, whose engine asserts what it believes of its pages: damage that it did not foresee is a panic there.
pub(super) fn sane<T>(look: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        // Some of the engine's assertions show what they compared in many lines.
        let words: String = words.lines().next().unwrap_or_default().chars().take(PANIC_CHARS_MAX).collect();
        Err(StoreError::corrupt("the base", format!("its pages contradict each other ({words})")))
    })
}

/// redb's error in our words.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => io_error("reading or writing the base")(error),
        redb::Error::Corrupted(detail) => StoreError::corrupt("the base", detail),
        redb::Error::DatabaseClosed => StoreError::Closed,
        redb::Error::PreviousIo => {
            io_error("using the base")(io::Error::other("an earlier failure stopped it"))
        }
        other => StoreError::corrupt("the base", other.to_string()),
    }
}
