//! The directory that a run works in. Gone with the run.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory of this process alone.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(above: &Path) -> Result<Self, String> {
        let path = above.join(format!("bench-{}", std::process::id()));
        let failed = |error: std::io::Error| format!("{}: {error}; name another with --dir", path.display());
        std::fs::create_dir_all(&path).map_err(failed)?;
        // Sandboxes run as other users and pass through it.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A new directory in it.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left: {error}", self.0.display());
        }
    }
}
