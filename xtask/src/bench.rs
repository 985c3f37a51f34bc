//! The benchmark command: builds the platform and what measures it with one profile, and runs the latter.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::run::{Failure, output, run, workspace_root};

/// Runs without optimisation: to see that all rows work, not for figures.
const DEV: &str = "--dev";

/// Builds and measures; all arguments but `--dev` go to the measuring program.
pub(crate) fn run_benchmarks(arguments: &[String]) -> Result<(), Failure> {
    let dev = arguments.iter().any(|argument| argument == DEV);
    let (profile, folder) = if dev { ("dev", "debug") } else { ("release", "release") };
    run(Command::new("cargo")
        .args(["build", "--quiet", "--profile", profile, "--package", "apus", "--package", "apus-bench"])
        .current_dir(workspace_root()))?;
    let built = target_directory()?.join(folder);
    run(Command::new(built.join("apus-bench"))
        .arg("--apus")
        .arg(built.join("apus"))
        .args(arguments.iter().filter(|argument| *argument != DEV)))
}

/// Where cargo puts what it builds.
fn target_directory() -> Result<PathBuf, Failure> {
    let mut command = Command::new("cargo");
    command
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace_root());
    let metadata: Value = serde_json::from_slice(&output(&mut command)?)
        .map_err(|error| Failure(format!("`cargo metadata` printed no JSON: {error}")))?;
    let directory = metadata["target_directory"].as_str();
    directory.map(PathBuf::from).ok_or_else(|| Failure("`cargo metadata` names no target directory".into()))
}
