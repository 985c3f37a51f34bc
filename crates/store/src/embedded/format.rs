//! The number of the format that a data directory has. It comes first and goes last: what has none is no store.

use crate::blobs::FOLDER;
use crate::disk::{Disk, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;

/// The format that this release writes, and the newest that it reads.
///
/// 2: the base has its rows in blocks. 1: each by itself.
pub const FORMAT: u32 = 2;

const FILE: &str = "format";
const TEMPORARY: &str = "format.tmp";
/// There while a backup is being restored: the store is not all there yet.
const RESTORING: &str = "restoring";
const NAME: &str = "apus store";
/// The longest content that can be one.
const FILE_BYTES_MAX: u64 = 64;

/// Refuses a store of a newer release and what is no store, and gives an empty directory its number.
pub(super) fn check_or_create(disk: &dyn Disk) -> Result<(), StoreError> {
    let names = disk.list("").map_err(io_error("listing the data directory"))?;
    if !names.iter().any(|name| name == FILE) {
        // The log and the base come only after the number is safe.
        let ours = |name: &String| [TEMPORARY, FOLDER, "lock"].contains(&name.as_str());
        if let Some(foreign) = names.iter().find(|name| !ours(name)) {
            let detail =
                format!("it has no file `{FILE}`, but holds `{foreign}`: this is no store, or a part of one");
            return Err(StoreError::corrupt(disk.place(), detail));
        }
        return create(disk);
    }
    check(disk)
}

/// Begins a store that will be restored. Errors: there is one already.
pub(super) fn begin_restore(disk: &dyn Disk) -> Result<(), StoreError> {
    let wrap = |error| io_error("beginning to restore")(error);
    if let Some(name) = disk.list("").map_err(wrap)?.iter().find(|name| *name != "lock") {
        let detail = format!("it holds `{name}`; a backup is restored into an empty directory");
        return Err(StoreError::corrupt(disk.place(), detail));
    }
    disk.open(RESTORING, OpenMode::Create).map_err(wrap)?;
    disk.sync_dir("", SyncPoint::FormatDir).map_err(wrap)?;
    create(disk)
}

/// Ends the restoring of a store.
pub(super) fn end_restore(disk: &dyn Disk) -> Result<(), StoreError> {
    let wrap = |error| io_error("ending to restore")(error);
    disk.remove(RESTORING).map_err(wrap)?;
    disk.sync_dir("", SyncPoint::FormatDir).map_err(wrap)
}

/// Refuses what is no store, one of a newer release, and one that was not restored to its end.
pub(super) fn check(disk: &dyn Disk) -> Result<(), StoreError> {
    let names = disk.list("").map_err(io_error("listing the data directory"))?;
    if names.iter().any(|name| name == RESTORING) {
        let detail = "a backup was not restored to its end; empty the directory and restore it again";
        return Err(StoreError::corrupt(disk.place(), detail));
    }
    let found = read(disk)?;
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found, supported: FORMAT });
    }
    Ok(())
}

/// Gives a store of an older format the number of this one, before anything in it is changed: a release that knows
/// the older one only must not open it any more.
pub(super) fn raise(disk: &dyn Disk) -> Result<(), StoreError> {
    if read(disk)? == FORMAT { Ok(()) } else { create(disk) }
}

fn create(disk: &dyn Disk) -> Result<(), StoreError> {
    let wrap = |error| io_error("writing the format file")(error);
    let file = disk.open(TEMPORARY, OpenMode::Create).map_err(wrap)?;
    file.set_len(0).map_err(wrap)?;
    file.write_at(0, format!("{NAME} {FORMAT}\n").as_bytes()).map_err(wrap)?;
    file.sync(SyncPoint::FormatFile).map_err(wrap)?;
    disk.create_dir(FOLDER).map_err(wrap)?;
    disk.rename(TEMPORARY, FILE).map_err(wrap)?;
    disk.sync_dir("", SyncPoint::FormatDir).map_err(wrap)
}

fn read(disk: &dyn Disk) -> Result<u32, StoreError> {
    let wrap = |error| io_error("reading the format file")(error);
    let file = disk.open(FILE, OpenMode::Existing).map_err(wrap)?;
    let size = file.size().map_err(wrap)?.min(FILE_BYTES_MAX);
    let mut content = vec![0; size as usize];
    file.read_at(0, &mut content).map_err(wrap)?;
    let number =
        std::str::from_utf8(&content).ok().and_then(|text| text.strip_prefix(NAME)?.trim().parse().ok());
    number
        .ok_or_else(|| StoreError::corrupt(format!("the file `{FILE}`"), "it does not hold a format number"))
}
