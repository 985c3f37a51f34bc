//! The benchmark command: builds the platform and what measures it with one profile, and runs the latter.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::python;
use crate::run::{Failure, output, run, workspace_root};

/// What of other projects is measured beside the platform, if asked for.
const PEERS: &str = "peers";
const PEERS_REQUIREMENTS: &str = "crates/bench/peers.txt";
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
    let mut command = Command::new(built.join("apus-bench"));
    command.arg("--apus").arg(built.join("apus"));
    if arguments.iter().any(|argument| argument == PEERS) {
        match prepare_peers() {
            Ok(environment) => {
                command.arg("--ministack").arg(environment.join("bin/ministack"));
            }
            Err(problem) => eprintln!("\n*** SKIPPED: no peer is measured: {problem} ***\n"),
        }
    }
    run(command.args(arguments.iter().filter(|argument| *argument != DEV)))
}

/// The other projects, in an environment of their own: they pin another botocore than the clients.
fn prepare_peers() -> Result<PathBuf, Failure> {
    let root = workspace_root();
    let (environment, requirements) = (root.join("target/peers"), root.join(PEERS_REQUIREMENTS));
    let wanted = fs::read_to_string(&requirements).map_err(|error| Failure::io(&requirements, &error))?;
    python::environment(&environment, &wanted, |install| {
        run(install().arg("--requirement").arg(&requirements))
    })?;
    Ok(environment)
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
