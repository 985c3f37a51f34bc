//! The Python environment with the real clients: boto3, the AWS CLI, pytest.

use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

use crate::run::{Failure, run, workspace_root};

/// Prepares the environment, unless the one that is there was made from the same requirements, and names it.
pub(crate) fn prepare() -> Result<PathBuf, Failure> {
    let root = workspace_root();
    let requirements = root.join("tests/clients/requirements.txt");
    let environment = root.join("target/clients");
    let stamp = environment.join("requirements.txt");
    let wanted = fs::read_to_string(&requirements).map_err(|error| Failure::io(&requirements, &error))?;
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return Ok(environment);
    }
    eprintln!("preparing the clients in {} …", environment.display());
    match fs::remove_dir_all(&environment) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::io(&environment, &error));
        }
        _ => {}
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    run(Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(|error| Failure::io(&stamp, &error))?;
    Ok(environment)
}
