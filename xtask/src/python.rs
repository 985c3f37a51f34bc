//! Python environments: made when they are first needed, and again when what they are made from changes.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use crate::run::{Failure, run};

/// Prepares an environment, unless the one that is there was made from the same text. `fill` installs into it with the
/// commands that it is given.
pub(crate) fn environment(
    directory: &Path,
    wanted: &str,
    fill: impl FnOnce(&dyn Fn() -> Command) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = directory.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return Ok(());
    }
    eprintln!("preparing {} …", directory.display());
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failure::io(directory, &error)),
        _ => {}
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
    fill(&|| {
        let mut command = Command::new(directory.join("bin/pip"));
        command.args(["install", "--quiet", "--disable-pip-version-check"]);
        command
    })?;
    fs::write(&stamp, wanted).map_err(|error| Failure::io(&stamp, &error))
}
