//! The real clients: a Python environment with boto3, the AWS CLI and pytest, and beside them the SDKs that
//! functions of the tests bring along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python;
use crate::run::{Failure, run, workspace_root};

const REQUIREMENTS: &str = "tests/clients/requirements.txt";
/// A boto3 of another version, for functions.
const OLDER_BOTO3: &str = "tests/clients/sdks/boto3-1.28.txt";
/// The SDKs for JavaScript, for functions.
const JAVASCRIPT: &str = "tests/clients/sdks/javascript";
const JAVASCRIPT_FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Prepares the environment, unless the one that is there was made from the same requirements, and names it.
pub(crate) fn prepare() -> Result<PathBuf, Failure> {
    let root = workspace_root();
    let environment = root.join("target/clients");
    python::environment(&environment, &wanted(&root)?, |install| {
        run(install().arg("--requirement").arg(root.join(REQUIREMENTS)))?;
        let sdks = environment.join("sdks");
        run(install()
            .arg("--target")
            .arg(sdks.join("boto3-1.28"))
            .arg("--requirement")
            .arg(root.join(OLDER_BOTO3)))?;
        prepare_javascript(&root, &sdks.join("javascript"))
    })?;
    Ok(environment)
}

/// Everything that the environment is made from.
fn wanted(root: &Path) -> Result<String, Failure> {
    let javascript = JAVASCRIPT_FILES.map(|file| format!("{JAVASCRIPT}/{file}"));
    let mut wanted = String::new();
    for file in [REQUIREMENTS, OLDER_BOTO3].into_iter().chain(javascript.iter().map(String::as_str)) {
        let file = root.join(file);
        wanted += &fs::read_to_string(&file).map_err(|error| Failure::io(&file, &error))?;
    }
    Ok(wanted)
}

/// Without npm there are no SDKs for JavaScript, and their tests say that they are skipped.
fn prepare_javascript(root: &Path, to: &Path) -> Result<(), Failure> {
    if Command::new("npm").arg("--version").output().is_err() {
        eprintln!("there is no npm: the SDKs for JavaScript are not tested");
        return Ok(());
    }
    fs::create_dir_all(to).map_err(|error| Failure::io(to, &error))?;
    for file in JAVASCRIPT_FILES {
        let from = root.join(JAVASCRIPT).join(file);
        fs::copy(&from, to.join(file)).map_err(|error| Failure::io(&from, &error))?;
    }
    let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
    run(Command::new("npm").args(options).current_dir(to))
}
