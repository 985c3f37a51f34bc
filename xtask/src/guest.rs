//! The tests of sandboxes in a machine of its own: Debian's kernel with control groups of version 2 only, as root
//! and as an ordinary user. Where there can be no such machine, that is said loudly.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::run::{Failure, run, show, workspace_root};

/// How long the tests may take once the machine runs; by emulation on an idle host of two cores they take about a third of it.
const SECONDS_MAX: u32 = 900;
/// What the script says where it cannot have a machine.
const NO_MACHINE: i32 = 125;

/// Builds the tests and runs them there.
pub(crate) fn run_tests(_: &[String]) -> Result<(), Failure> {
    let guest = workspace_root().join("tests/guest");
    let share = share(&sandbox_tests()?)?;
    let mut command = Command::new(guest.join("boot.sh"));
    command.arg(&share).arg(SECONDS_MAX.to_string()).arg(guest.join("suite.sh"));
    let shown = show(&command);
    let status = command.status().map_err(|error| Failure(format!("could not run `{shown}`: {error}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NO_MACHINE) => {
            eprintln!(
                "\n*** SKIPPED: sandboxes under control groups of version 2 and without root: see above ***\n"
            );
            Ok(())
        }
        Some(124) => Err(Failure(format!("the guest did not finish within {SECONDS_MAX} s"))),
        _ => Err(Failure(format!("`{shown}` ended with {status}"))),
    }
}

/// The directory that the machine sees: the program of the tests and nothing else.
fn share(program: &Path) -> Result<PathBuf, Failure> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    let share = target.join("guest");
    fs::create_dir_all(&share).map_err(|error| Failure::io(&share, &error))?;
    let copy = share.join("sandbox");
    fs::copy(program, &copy).map_err(|error| Failure::io(&copy, &error))?;
    Ok(share)
}

/// Builds the tests of sandboxes and names their program.
fn sandbox_tests() -> Result<PathBuf, Failure> {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(workspace_root()).args([
        "test",
        "--quiet",
        "--package",
        "apus-compute",
        "--test",
        "sandbox",
    ]);
    run(build.arg("--no-run"))?;
    build.arg("--message-format=json");
    let messages = crate::run::output(&mut build)?;
    let messages = String::from_utf8_lossy(&messages);
    let program = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == "sandbox" && message["target"]["kind"][0] == "test";
        named.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    program.ok_or_else(|| Failure("cargo did not say where the tests of sandboxes are".into()))
}
