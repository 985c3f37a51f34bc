//! The whole test command: style, drift, direction, the Rust tests, and the real clients.

use std::process::Command;

use crate::run::{Failure, run, workspace_root};
use crate::{clients, codegen, coverage, guest, tidy};

/// One step: its name, and what it does.
type Step = (&'static str, fn() -> Result<(), Failure>);

/// In order: what is cheap comes first.
const STEPS: [Step; 9] = [
    ("fmt", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("fetch", codegen::fetch),
    ("models", codegen::check),
    ("tidy", tidy::check),
    ("clippy", || {
        run(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    }),
    ("rust", rust_tests),
    ("guest", || guest::run_tests(&[])),
    ("coverage", || coverage::run(&["--check".to_owned()])),
    ("clients", client_tests),
];

/// Runs every step, or those that are named; the first failure ends it.
pub(crate) fn run_steps(chosen: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = chosen.iter().find(|name| !STEPS.iter().any(|(step, _)| step == name)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(Failure(format!("there is no step `{unknown}`; these are: {}", names.join(", "))));
    }
    for (name, step) in STEPS {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            eprintln!("── {name}");
            step()?;
        }
    }
    Ok(())
}

fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace_root());
    command
}

/// With nextest where it is installed: it runs tests in processes of their own, and names the slow ones.
fn rust_tests() -> Result<(), Failure> {
    let has_nextest =
        cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if has_nextest {
        run(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"]))
    } else {
        run(cargo().args(["test", "--quiet", "--workspace", "--no-fail-fast"]))
    }
}

/// boto3 and the AWS CLI against the real binary.
fn client_tests() -> Result<(), Failure> {
    let environment = clients::prepare()?;
    let binary = build_apus()?;
    run(Command::new(environment.join("bin/python"))
        // Most of a test is waiting: several files run beside each other, each worker with an instance of its own.
        .args(["-m", "pytest", "--numprocesses", "3", "--dist", "loadfile"])
        .current_dir(workspace_root().join("tests/clients"))
        .env("APUS_BINARY", binary))
}

/// Builds the binary and names it.
pub(crate) fn build_apus() -> Result<std::path::PathBuf, Failure> {
    run(cargo().args(["build", "--quiet", "--package", "apus"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace_root().join("target"), std::path::PathBuf::from);
    Ok(target.join("debug/apus"))
}
