//! The programs of a system that functions find: the few that the runtimes' scripts on AWS have too. They are copied
//! to one directory, which costs a sandbox one mount, and leaves what else the host has outside.

use std::io;
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::PermissionsExt};

use crate::host_root::make_directory;

/// Where they are looked for on the host.
const DIRECTORIES: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];
/// What a custom runtime in shell calls, and what handlers start.
const PROGRAMS: [&str; 50] = [
    "awk",
    "base64",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "date",
    "dd",
    "df",
    "dirname",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hostname",
    "id",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nproc",
    "printf",
    "pwd",
    "readlink",
    "rm",
    "sed",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "tar",
    "tee",
    "touch",
    "tr",
    "true",
    "uname",
    "wc",
    "xargs",
];
/// Without setuid and setgid, which the copies of such programs lose.
const MODE: u32 = 0o555;

/// Copies those that this host has to `directory`.
pub(crate) fn copy_to(directory: &Path) -> io::Result<()> {
    make_directory(directory)?;
    for (name, source) in PROGRAMS.iter().filter_map(|name| Some((name, find(name)?))) {
        let target = directory.join(name);
        // A running program cannot be written to, but replaced.
        let new = directory.join(format!(".{name}"));
        fs::copy(source, &new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(MODE))?;
        fs::rename(new, target)?;
    }
    Ok(())
}

fn find(name: &str) -> Option<PathBuf> {
    let mut places =
        DIRECTORIES.iter().filter_map(|directory| Path::new(directory).join(name).canonicalize().ok());
    places.find(|real| real.is_file())
}
