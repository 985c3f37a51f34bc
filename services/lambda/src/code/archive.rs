//! What an uploaded archive would unpack to, decided from its directory before a byte is written.
//!
//! An archive is hostile until proven otherwise: its names may lead elsewhere, its sizes may lie. Names and
//! kinds are settled here; that sizes are true is checked while unpacking.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

/// The most that a package unpacks to, in bytes: AWS's quota of 250 MB.
pub(crate) const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// The most entries in an archive: what its format counts without extensions.
pub(crate) const ENTRIES_MAX: u64 = 65_535;
/// The longest path of an entry, in bytes.
const PATH_BYTES_MAX: usize = 1_024;
/// The longest name between two slashes, in bytes: what file systems accept.
const NAME_BYTES_MAX: usize = 255;

/// The file type in a Unix mode, and its values.
const TYPE_MASK: u32 = 0o170_000;
const TYPE_NONE: u32 = 0;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// An archive whose directory has been read.
pub(crate) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveError {
    /// It is no archive, or a damaged one.
    Broken(String),
    /// It holds no file.
    Empty,
    /// It unpacks to more than [`UNZIPPED_BYTES_MAX`].
    TooLarge,
    /// It has more than [`ENTRIES_MAX`] entries.
    TooManyEntries,
    /// This path is absolute, leads outside or cannot be a path.
    Path(String),
    /// Two entries claim this path, or one lies beneath a file.
    Collision(String),
    /// This symbolic link leads outside.
    Symlink(String),
    /// This entry is neither file nor directory nor symbolic link.
    Special(String),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(f, "the archive is damaged: {why}"),
            Self::Empty => f.write_str("the archive holds no file"),
            Self::TooLarge => write!(f, "the archive unpacks to more than {UNZIPPED_BYTES_MAX} bytes"),
            Self::TooManyEntries => write!(f, "the archive has more than {ENTRIES_MAX} entries"),
            Self::Path(path) => write!(f, "`{path}` is no path within the archive"),
            Self::Collision(path) => write!(f, "`{path}` is there twice, or lies beneath a file"),
            Self::Symlink(path) => write!(f, "the symbolic link `{path}` leads out of the archive"),
            Self::Special(path) => write!(f, "`{path}` is neither file nor directory nor symbolic link"),
        }
    }
}

impl std::error::Error for ArchiveError {}

impl From<ZipError> for ArchiveError {
    fn from(error: ZipError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What an entry becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A directory, named or implied.
    Directory,
    /// A file.
    File {
        /// Its place in the archive.
        index: usize,
        /// Its size, as the archive's directory says.
        bytes: u64,
        /// Somebody may run it.
        executable: bool,
    },
    /// A symbolic link to a place within the package, relative to where the link is.
    Symlink {
        /// Where it leads.
        target: String,
    },
}

/// What the archive unpacks to: clean relative paths, parents before children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) entries: BTreeMap<String, Entry>,
    /// The sizes of all files together.
    pub(crate) bytes: u64,
}

/// Reads the archive's directory and settles what may be unpacked.
pub(crate) fn plan(bytes: &[u8]) -> Result<(Archive<'_>, Plan), ArchiveError> {
    check_declared_entries(bytes)?;
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() as u64 > ENTRIES_MAX {
        return Err(ArchiveError::TooManyEntries);
    }
    if archive.has_duplicate_names() {
        return Err(ArchiveError::Collision("?".into()));
    }
    // Files that share compressed bytes are how a small archive unpacks to a huge one.
    if archive.has_overlapping_files()? {
        return Err(ArchiveError::Broken("entries overlap".into()));
    }
    let mut plan = Plan::default();
    for index in 0..archive.len() {
        let (path, entry) = read_entry(&mut archive, index)?;
        if let Some(path) = path {
            plan.add(path, entry)?;
        } else if entry != Entry::Directory {
            return Err(ArchiveError::Path(".".into()));
        }
    }
    if !plan.entries.values().any(|entry| matches!(entry, Entry::File { .. })) {
        return Err(ArchiveError::Empty);
    }
    Ok((archive, plan))
}

impl Plan {
    fn add(&mut self, path: String, entry: Entry) -> Result<(), ArchiveError> {
        for (slash, _) in path.match_indices('/') {
            match self.entries.entry(path[..slash].to_owned()).or_insert(Entry::Directory) {
                Entry::Directory => {}
                _ => return Err(ArchiveError::Collision(path)),
            }
        }
        if let Entry::File { bytes, .. } = entry {
            self.bytes = self.bytes.saturating_add(bytes);
            if self.bytes > UNZIPPED_BYTES_MAX {
                return Err(ArchiveError::TooLarge);
            }
        }
        match self.entries.get(&path) {
            Some(Entry::Directory) if entry == Entry::Directory => Ok(()),
            Some(_) => Err(ArchiveError::Collision(path)),
            None => {
                self.entries.insert(path, entry);
                Ok(())
            }
        }
    }
}

/// Path and kind of one entry; no path for the archive's own root.
fn read_entry(archive: &mut Archive<'_>, index: usize) -> Result<(Option<String>, Entry), ArchiveError> {
    let mut file = archive.by_index(index)?;
    let name = file.name()?.into_owned();
    let path = clean(&name)?;
    let mode = file.unix_mode().unwrap_or(0);
    let entry = match mode & TYPE_MASK {
        _ if name.ends_with('/') => Entry::Directory,
        TYPE_DIRECTORY => Entry::Directory,
        TYPE_NONE | TYPE_FILE => Entry::File { index, bytes: file.size(), executable: mode & 0o111 != 0 },
        TYPE_SYMLINK => {
            let mut target = String::new();
            let read = (&mut file).take(PATH_BYTES_MAX as u64 + 1).read_to_string(&mut target);
            read.map_err(|error| ArchiveError::Broken(error.to_string()))?;
            if !stays_inside(&name, &target) {
                return Err(ArchiveError::Symlink(name));
            }
            Entry::Symlink { target }
        }
        _ => return Err(ArchiveError::Special(name)),
    };
    Ok((path, entry))
}

/// The path without `.` and doubled slashes; nothing for the root itself.
fn clean(name: &str) -> Result<Option<String>, ArchiveError> {
    let refused = || ArchiveError::Path(name.escape_debug().take(PATH_BYTES_MAX).collect());
    if name.starts_with('/') || name.contains('\0') || name.len() > PATH_BYTES_MAX {
        return Err(refused());
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(refused()),
            part if part.len() > NAME_BYTES_MAX => return Err(refused()),
            part => parts.push(part),
        }
    }
    Ok(if parts.is_empty() { None } else { Some(parts.join("/")) })
}

/// Whether a link at `path` leads to a place below the root, whatever lies on the way.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') || target.len() > PATH_BYTES_MAX
    {
        return false;
    }
    let mut depth = path.split('/').filter(|part| !matches!(*part, "" | ".")).count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Refuses an archive that announces more entries than may be, before memory is spent on them. Only the
/// extended format can announce so many.
fn check_declared_entries(bytes: &[u8]) -> Result<(), ArchiveError> {
    const LOCATOR: &[u8] = b"PK\x06\x07";
    const RECORD: &[u8] = b"PK\x06\x06";
    /// The end record with the longest comment, and the locator before it.
    const TAIL_BYTES: usize = 20 + 22 + 65_535;
    let number = |at: usize| {
        let eight = bytes.get(at..at.checked_add(8)?)?;
        eight.try_into().ok().map(u64::from_le_bytes)
    };
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    for at in (from..bytes.len()).filter(|at| bytes[*at..].starts_with(LOCATOR)) {
        // The record stands where the locator says, or right before it if the archive has something in front.
        let said = number(at + 8).and_then(|offset| usize::try_from(offset).ok());
        for record in [said, at.checked_sub(56)].into_iter().flatten() {
            let found = bytes.get(record..).is_some_and(|rest| rest.starts_with(RECORD));
            if found && number(record + 32).is_some_and(|entries| entries > ENTRIES_MAX) {
                return Err(ArchiveError::TooManyEntries);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
