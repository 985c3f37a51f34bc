//! The native function: this program itself, as the `bootstrap` of a `provided` function. What it does there is what the
//! bare relay's workers do.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use apus_env::Env;
use serde_json::{Value, json};

use crate::plain::{self, PlainStart};
use crate::relay::{RESPONSE, serve_runtime};

/// The handler by which this program knows that it is a function.
pub(crate) const HANDLER_NAME: &str = "apus-bench.native";
/// The runtime.
pub(crate) const RUNTIME: &str = "provided.al2023";
/// The largest package that can be uploaded directly, before its encoding.
const PACKAGE_BYTES_MAX: usize = 50 * 1024 * 1024;

/// Becomes the function, if this process was started as one.
pub(crate) fn runtime_main() {
    if std::env::var("_HANDLER").as_deref() != Ok(HANDLER_NAME) {
        return;
    }
    let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    // It ends with whoever gives it work.
    let _ended = serve_runtime(&address, answer);
    std::process::exit(0)
}

/// The relay's answer, or when it was entered, if the event says how long to hold the environment.
fn answer(event: &[u8]) -> Vec<u8> {
    let hold = |event: &[u8]| serde_json::from_slice::<Value>(event).ok()?["hold_ms"].as_u64();
    match hold(event) {
        None => RESPONSE.as_bytes().to_vec(),
        Some(milliseconds) => {
            let entered = Env::real().now().as_micros();
            hold_for(Duration::from_millis(milliseconds));
            json!({ "entered_micros": entered }).to_string().into_bytes()
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a function's process has no other work meanwhile")]
fn hold_for(span: Duration) {
    std::thread::sleep(span);
}

/// This program as a package.
pub(crate) fn package() -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("this program cannot be packed: {error}");
    let program = std::fs::read(std::env::current_exe().map_err(failed)?).map_err(failed)?;
    if program.len() > PACKAGE_BYTES_MAX {
        return Err("this program is too large to be a function; a release build is not".into());
    }
    let failed = |error: zip::result::ZipError| format!("this program cannot be packed: {error}");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    archive.start_file("bootstrap", options).map_err(failed)?;
    archive.write_all(&program).map_err(|error| error.to_string())?;
    Ok(archive.finish().map_err(failed)?.into_inner())
}

/// Starts this program plainly, gives it one event and ends it.
pub(crate) async fn plain_start(env: &Env) -> Result<PlainStart, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program was not found: {error}"))?;
    let command = |address: &str| {
        let mut command = Command::new(&program);
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address).env("_HANDLER", HANDLER_NAME);
        command.stdin(Stdio::null());
        command
    };
    plain::start(env, command).await
}
