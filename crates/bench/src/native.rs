//! The native function: a program beside this one, as the `bootstrap` of a `provided` function.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use apus_env::Env;

use crate::plain::{self, PlainStart};

/// The program's name.
const PROGRAM: &str = "apus-bench-native";
/// The runtime and a handler, which means nothing to it.
pub(crate) const RUNTIME: &str = "provided.al2023";
pub(crate) const HANDLER_NAME: &str = "native";

fn program() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("this program was not found: {error}"))?;
    let program = this.with_file_name(PROGRAM);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is missing; build it too", program.display()))
    }
}

/// The program as a package.
pub(crate) fn package() -> Result<Vec<u8>, String> {
    let program = program()?;
    let text = std::fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let failed = |error: zip::result::ZipError| format!("{PROGRAM} cannot be packed: {error}");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).map_err(failed)?;
    archive.write_all(&text).map_err(|error| error.to_string())?;
    Ok(archive.finish().map_err(failed)?.into_inner())
}

/// Starts the program plainly, gives it one event and ends it.
pub(crate) async fn plain_start(env: &Env) -> Result<PlainStart, String> {
    let program = program()?;
    let command = |address: &str| {
        let mut command = Command::new(&program);
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address).stdin(Stdio::null());
        command
    };
    plain::start(env, command).await
}
