//! Runs the tools: into a directory of another name, which is given its own when everything is there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use apus_env::Env;
use tokio::process::Command;

use super::Sdk;
use crate::host_root::make_directory;
use crate::runtimes::InterpreterSearch;

/// How long a tool may take.
const TOOL_MAX: Duration = Duration::from_mins(10);
/// How much of what a tool complains about is passed on, in bytes.
const COMPLAINT_BYTES_MAX: usize = 1000;
/// What unfinished directories are called.
const UNFINISHED: &str = ".unfinished-";
/// Who left an unfinished directory so long ago does not come back to it.
const UNFINISHED_KEPT: Duration = Duration::from_hours(1);
/// One more try, unless the user says otherwise: who is offline should hear of it soon.
const RETRIES: [(&str, &str); 2] = [("PIP_RETRIES", "1"), ("npm_config_fetch_retries", "1")];

/// Fetches an SDK to its directory in the shelf.
pub(super) async fn fetch(
    env: &Env,
    sdk: &Sdk,
    shelf: &Path,
    tools: &InterpreterSearch,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", shelf.display());
    fs::create_dir_all(shelf).map_err(failed)?;
    forget_unfinished(env, shelf);
    let unfinished = shelf.join(format!("{UNFINISHED}{}", env.uuid_v4()));
    make_directory(&unfinished).map_err(failed)?;
    let fetched = fill(env, sdk, &unfinished, tools).await;
    let kept = fetched.and_then(|content| keep(&content, &shelf.join(sdk.directory())).map_err(failed));
    let _ = fs::remove_dir_all(&unfinished);
    kept
}

/// Runs what fetches it; returns where in the directory it lies.
async fn fill(env: &Env, sdk: &Sdk, directory: &Path, tools: &InterpreterSearch) -> Result<PathBuf, String> {
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    match sdk {
        Sdk::Python { minor, program } => {
            write("lock.txt", sdk.lock())?;
            let content = directory.join("content");
            let pip = pip(env, program, tools).await?;
            let version = format!("3.{minor}");
            let mut install = command(&pip, directory);
            install
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-input",
                    "--disable-pip-version-check",
                    "--no-deps",
                ])
                .args([
                    "--require-hashes",
                    "--only-binary",
                    ":all:",
                    "--no-compile",
                    "--python-version",
                    &version,
                ])
                .args(["--requirement", "lock.txt", "--target", "content"])
                // What users have for their own installations would be in the way.
                .envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0")])
                .env_remove("PIP_TARGET");
            run(env, install).await?;
            // Sandboxes cannot keep what they compile. Bytecode that is never compared with its source may be moved.
            let mut compile = command(program, directory);
            compile.args(["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "content"]);
            run(env, compile).await?;
            Ok(content)
        }
        Sdk::Nodejs { program } => {
            write("package.json", include_str!("nodejs/package.json"))?;
            write("package-lock.json", sdk.lock())?;
            let npm = npm(program, tools).ok_or("there is no `npm` beside Node.js; install it")?;
            let mut install = command(&npm, directory);
            install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
            install.args(["--loglevel", "error"]);
            run(env, install).await?;
            Ok(directory.join("node_modules"))
        }
    }
}

/// A Python that has `pip`: the function's own, or any.
async fn pip(env: &Env, program: &Path, tools: &InterpreterSearch) -> Result<PathBuf, String> {
    let others =
        tools.directories.iter().map(|directory| directory.join("python3")).filter(|path| path.exists());
    for python in std::iter::once(program.to_owned()).chain(others) {
        let mut probe = command(&python, Path::new("/"));
        probe.args(["-m", "pip", "--version"]);
        if run(env, probe).await.is_ok() {
            return Ok(python);
        }
    }
    Err("no Python here has `pip`; install it (python3-pip)".into())
}

fn npm(node: &Path, tools: &InterpreterSearch) -> Option<PathBuf> {
    let beside = node.parent().into_iter();
    let mut places = beside.chain(tools.directories.iter().map(PathBuf::as_path));
    places.find_map(|directory| Some(directory.join("npm")).filter(|path| path.is_file()))
}

/// A tool in its directory, which finds the interpreter beside it.
fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    let mut path = program.parent().map(Path::as_os_str).unwrap_or_default().to_owned();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    command.current_dir(directory).env("PATH", path).stdin(Stdio::null()).kill_on_drop(true);
    for (name, value) in RETRIES {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    command
}

async fn run(env: &Env, mut command: Command) -> Result<(), String> {
    let ended = env.timeout(TOOL_MAX, command.output()).await;
    let ended = ended.map_err(|_elapsed| format!("it took longer than {} s", TOOL_MAX.as_secs()))?;
    let output = ended.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ");
    let mut from = said.len().saturating_sub(COMPLAINT_BYTES_MAX);
    while !said.is_char_boundary(from) {
        from += 1;
    }
    Err(format!("{}: {}", output.status, &said[from..]))
}

/// Gives it the name that says that it is whole. Who came first with the same has kept the same.
fn keep(content: &Path, name: &Path) -> io::Result<()> {
    for_everybody(content)?;
    // The name must not reach the disk before what it names.
    rustix::fs::syncfs(File::open(content)?)?;
    match fs::rename(content, name) {
        Err(_) if name.is_dir() => Ok(()),
        other => other,
    }
}

/// A sandbox has a user of its own, and reads only.
fn for_everybody(path: &Path) -> io::Result<()> {
    const DIRECTORY: u32 = 0o755;
    const FILE: u32 = 0o644;
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY))?;
        for entry in fs::read_dir(path)? {
            for_everybody(&entry?.path())?;
        }
    } else if kind.is_file() {
        fs::set_permissions(path, fs::Permissions::from_mode(FILE))?;
    }
    Ok(())
}

/// Removes what platforms left that were killed.
fn forget_unfinished(env: &Env, shelf: &Path) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(env.now().as_micros().unsigned_abs());
    for entry in fs::read_dir(shelf).into_iter().flatten().flatten() {
        let left = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let old =
            left.and_then(|left| now.duration_since(left).ok()).is_some_and(|age| age > UNFINISHED_KEPT);
        if old && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
