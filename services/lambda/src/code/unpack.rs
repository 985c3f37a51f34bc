//! Unpacks an archive into a fresh directory, exactly as planned. Knows no cache and no function.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use super::archive::{Archive, ArchiveError, Entry, plan};

/// Files are read by the function's user and written by nobody.
const FILE_MODE: u32 = 0o444;
const PROGRAM_MODE: u32 = 0o555;
const DIRECTORY_MODE: u32 = 0o755;
const BUFFER_BYTES: usize = 64 * 1024;

/// Why unpacking failed.
#[derive(Debug)]
pub(crate) enum UnpackError {
    /// The archive's fault.
    Archive(ArchiveError),
    /// The disk's.
    Io(io::Error),
}

impl From<ArchiveError> for UnpackError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Unpacks into `root`, which must not exist, and returns the sizes of all files together. What a failure
/// leaves behind is the caller's to remove.
pub(crate) fn unpack(bytes: &[u8], root: &Path) -> Result<u64, UnpackError> {
    let (mut archive, plan) = plan(bytes)?;
    create_directory(root)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    // Links come last, so that nothing is ever written through one.
    for (path, entry) in &plan.entries {
        match entry {
            Entry::Directory => create_directory(&root.join(path))?,
            Entry::File { index, bytes, executable } => {
                let mode = if *executable { PROGRAM_MODE } else { FILE_MODE };
                let file =
                    OpenOptions::new().write(true).create_new(true).mode(mode).open(root.join(path))?;
                // The process's mask may have taken away what the function's user needs.
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                write_file(&mut archive, *index, *bytes, file, &mut buffer)?;
            }
            Entry::Symlink { .. } => {}
        }
    }
    for (path, entry) in &plan.entries {
        if let Entry::Symlink { target } = entry {
            symlink(target, root.join(path))?;
        }
    }
    Ok(plan.bytes)
}

fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))
}

/// Inflates one entry, no further than the size that the plan counted.
fn write_file(
    archive: &mut Archive<'_>,
    index: usize,
    bytes: u64,
    mut file: File,
    buffer: &mut [u8],
) -> Result<(), UnpackError> {
    let broken = |why: String| UnpackError::Archive(ArchiveError::Broken(why));
    let mut source = archive.by_index(index).map_err(ArchiveError::from)?;
    let mut left = bytes;
    loop {
        let read = source.read(buffer).map_err(|error| broken(error.to_string()))?;
        if read == 0 {
            break;
        }
        left = left
            .checked_sub(read as u64)
            .ok_or_else(|| broken("a file is larger than its entry says".into()))?;
        file.write_all(&buffer[..read])?;
    }
    if left == 0 { Ok(()) } else { Err(broken("a file is smaller than its entry says".into())) }
}
