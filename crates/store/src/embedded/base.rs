//! The base: everything up to the last checkpoint, in redb.
//!
//! Long values lie in pieces, so that none needs a run of pages larger than a piece.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase, StorageBackend, Table, TableDefinition};

use crate::disk::{Disk, DiskFile, DiskLock, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;
use crate::key::show;
use crate::range::{Direction, Range};
use crate::state::{Base, Overlay, Row};

const FILE: &str = "base";
const UNFINISHED: &str = "base.new";

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;
const DATA: Rows = TableDefinition::new("data");
const PIECES: Rows = TableDefinition::new("pieces");
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
/// The sequence number of the last log frame that is in the base.
const APPLIED: &str = "applied";

/// Values up to this length lie whole; longer ones in pieces of it. With the longest key and redb's own
/// few bytes a piece fits a run of pages of 64 KiB.
const PIECE_BYTES: usize = 56 * 1024;
/// Before a value's bytes.
const WHOLE: u8 = 0;
/// Before a value's length, whose bytes are in pieces.
const IN_PIECES: u8 = 1;

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
        if !exists {
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

    /// Looks for pieces that no value has. That values have their pieces shows when they are read.
    pub(super) fn check_pieces(&self) -> Result<Vec<StoreError>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let data = transaction.open_table(DATA).map_err(failed)?;
        let pieces = transaction.open_table(PIECES).map_err(failed)?;
        let mut damage = Vec::new();
        for piece in pieces.range::<&[u8]>(..).map_err(failed)? {
            let (piece, _) = piece.map_err(failed)?;
            let (key, index) = piece.value().split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
            let value = data.get(key).map_err(failed)?;
            let count = value.map_or(Ok(0), |value| piece_count(key, value.value()))?;
            if u32::from_be_bytes(*index) as usize >= count {
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
            let mut data = transaction.open_table(DATA).map_err(failed)?;
            let mut pieces = transaction.open_table(PIECES).map_err(failed)?;
            for (key, value) in changes {
                match value {
                    Some(value) => put(&mut data, &mut pieces, key, value)?,
                    None => remove(&mut data, &mut pieces, key)?,
                }
            }
            let mut meta = transaction.open_table(META).map_err(failed)?;
            meta.insert(APPLIED, applied).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Everything as it is now, whatever comes later.
    pub(super) fn view(self: &Arc<Self>) -> Result<Arc<dyn Base>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let data = transaction.open_table(DATA).map_err(failed)?;
        let pieces = transaction.open_table(PIECES).map_err(failed)?;
        Ok(Arc::new(View { data, pieces, _store: self.clone() }))
    }
}

type Writable<'t> = Table<'t, &'static [u8], &'static [u8]>;

fn put(
    data: &mut Writable<'_>,
    pieces: &mut Writable<'_>,
    key: &[u8],
    value: &[u8],
) -> Result<(), StoreError> {
    let in_pieces = value.len() > PIECE_BYTES;
    let head = if in_pieces { (value.len() as u32).to_be_bytes().to_vec() } else { value.to_vec() };
    let tagged = [&[if in_pieces { IN_PIECES } else { WHOLE }][..], &head].concat();
    let old = data.insert(key, tagged.as_slice()).map_err(failed)?;
    let old_pieces = old.as_ref().map_or(Ok(0), |old| piece_count(key, old.value()))?;
    drop(old);
    let new_pieces = if in_pieces { value.len().div_ceil(PIECE_BYTES) } else { 0 };
    for (index, piece) in value.chunks(PIECE_BYTES).take(new_pieces).enumerate() {
        pieces.insert(piece_key(key, index).as_slice(), piece).map_err(failed)?;
    }
    remove_pieces(pieces, key, new_pieces..old_pieces)
}

fn remove(data: &mut Writable<'_>, pieces: &mut Writable<'_>, key: &[u8]) -> Result<(), StoreError> {
    let old = data.remove(key).map_err(failed)?;
    let old_pieces = old.as_ref().map_or(Ok(0), |old| piece_count(key, old.value()))?;
    drop(old);
    remove_pieces(pieces, key, 0..old_pieces)
}

fn remove_pieces(
    pieces: &mut Writable<'_>,
    key: &[u8],
    which: std::ops::Range<usize>,
) -> Result<(), StoreError> {
    for index in which {
        pieces.remove(piece_key(key, index).as_slice()).map_err(failed)?;
    }
    Ok(())
}

fn piece_key(key: &[u8], index: usize) -> Vec<u8> {
    [key, &(index as u32).to_be_bytes()].concat()
}

/// What a stored value says about itself.
enum Stored<'a> {
    Whole(&'a [u8]),
    InPieces(usize),
}

fn stored<'a>(key: &[u8], bytes: &'a [u8]) -> Result<Stored<'a>, StoreError> {
    match bytes {
        [WHOLE, value @ ..] => Ok(Stored::Whole(value)),
        [IN_PIECES, a, b, c, d] => Ok(Stored::InPieces(u32::from_be_bytes([*a, *b, *c, *d]) as usize)),
        _ => Err(StoreError::corrupt(format!("the value at {}", show(key)), "it has no known form")),
    }
}

fn piece_count(key: &[u8], bytes: &[u8]) -> Result<usize, StoreError> {
    match stored(key, bytes)? {
        Stored::Whole(_) => Ok(0),
        Stored::InPieces(length) => Ok(length.div_ceil(PIECE_BYTES)),
    }
}

type Readable = ReadOnlyTable<&'static [u8], &'static [u8]>;

struct View {
    data: Readable,
    pieces: Readable,
    _store: Arc<BaseStore>,
}

impl View {
    fn value(&self, key: &[u8], bytes: &[u8]) -> Result<Bytes, StoreError> {
        let length = match stored(key, bytes)? {
            Stored::Whole(value) => return Ok(Bytes::copy_from_slice(value)),
            Stored::InPieces(length) => length,
        };
        let mut value = Vec::with_capacity(length.min(crate::limits::VALUE_BYTES_MAX));
        for index in 0..length.div_ceil(PIECE_BYTES) {
            if let Some(piece) = self.pieces.get(piece_key(key, index).as_slice()).map_err(failed)? {
                value.extend_from_slice(piece.value());
            }
        }
        if value.len() != length {
            let detail = format!("{} of {length} bytes are there", value.len());
            return Err(StoreError::corrupt(format!("the value at {}", show(key)), detail));
        }
        Ok(value.into())
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.data.get(key).map_err(failed)?;
        found.map(|found| self.value(key, found.value())).transpose()
    }

    fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.data.get(key).map_err(failed)?.is_some())
    }

    fn scan<'a>(
        &'a self,
        range: &Range,
        direction: Direction,
    ) -> Result<Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a>, StoreError> {
        let found = self.data.range::<&[u8]>(range.bounds()).map_err(failed)?;
        let row = move |found: Result<_, redb::StorageError>| {
            let (key, value): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>) =
                found.map_err(failed)?;
            let value = self.value(key.value(), value.value())?;
            Ok((Bytes::copy_from_slice(key.value()), value))
        };
        Ok(match direction {
            Direction::Forward => Box::new(found.map(row)),
            Direction::Backward => Box::new(found.rev().map(row)),
        })
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

/// redb's error in our words.
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

fn failed(error: impl Into<redb::Error>) -> StoreError {
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
