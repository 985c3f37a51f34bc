//! Finds interpreters on the host. A shim, which is a script that looks for the interpreter on each start,
//! is passed over in favour of what it would find.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where interpreters are looked for: directories like `/usr/bin`, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterSearch {
    /// The directories.
    pub directories: Vec<PathBuf>,
}

impl InterpreterSearch {
    /// The usual places: the search path, version managers under the home directory, the system's.
    ///
    /// `path` and `home` are the values of the variables of these names.
    pub fn usual(path: Option<&str>, home: Option<&Path>) -> Self {
        let mut directories: Vec<PathBuf> =
            path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        if let Some(home) = home {
            for versions in
                [".pyenv/versions", ".local/share/uv/python", ".asdf/installs/python", ".nvm/versions/node"]
            {
                directories.extend(children(&home.join(versions)));
            }
        }
        directories.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
        directories.retain(|directory| directory.is_absolute());
        let mut seen = Vec::new();
        for directory in directories {
            if !seen.contains(&directory) {
                seen.push(directory);
            }
        }
        Self { directories: seen }
    }

    /// The real program of this name in each directory that has one.
    pub(super) fn find<'a>(&'a self, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        self.directories.iter().filter_map(move |directory| {
            let real = directory.join(name).canonicalize().ok()?;
            is_program(&real).then_some(real)
        })
    }
}

/// The `bin` directories of installed versions, newest name first.
fn children(versions: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(versions) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
    found.sort();
    found.reverse();
    found
}

/// Whether it is machine code, not a script.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}
