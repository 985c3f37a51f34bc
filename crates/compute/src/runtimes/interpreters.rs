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
        let mut directories = Vec::new();
        for directory in path.map(std::env::split_paths).into_iter().flatten() {
            // A version manager's scripts stand for its versions, at their place in the path.
            match directory.parent() {
                Some(manager) if directory.ends_with("shims") => {
                    directories.extend(versions(&manager.join("versions")));
                }
                _ => directories.push(directory),
            }
        }
        if let Some(home) = home {
            for installed in
                [".pyenv/versions", ".local/share/uv/python", ".asdf/installs/python", ".nvm/versions/node"]
            {
                directories.extend(versions(&home.join(installed)));
            }
        }
        // Javas are where systems and version managers put them, and one of them at most in the path.
        let of_home = home.map(|home| home.join(".sdkman/candidates/java"));
        for installed in of_home.into_iter().chain(["/usr/lib/jvm", "/opt/java"].map(PathBuf::from)) {
            directories.extend(versions(&installed));
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

/// The `bin` directories of installed versions, newest first.
fn versions(installed: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(installed) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort_by_key(|path| std::cmp::Reverse(numbers(path)));
    found.into_iter().map(|path| path.join("bin")).collect()
}

/// `cpython-3.12.10-linux` is newer than `cpython-3.12.9-linux`.
fn numbers(path: &Path) -> Vec<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Whether it is machine code, not a script.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number() {
        let mut names = ["3.9.18", "3.12.1", "3.11.10", "3.11.7"].map(Path::new);
        names.sort_by_key(|path| std::cmp::Reverse(numbers(path)));
        assert_eq!(names, ["3.12.1", "3.11.10", "3.11.7", "3.9.18"].map(Path::new));
    }
}
