//! The plain interpreter: the platform's own bootstrap without a sandbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use apus_compute::InterpreterSearch;
use apus_env::Env;

use crate::plain::{self, PlainStart};

/// What functions of the platform start with.
const BOOTSTRAP: &str = include_str!("../../compute/src/runtimes/bootstrap.py");
/// The measured handler.
pub(crate) const HANDLER: &str = "def handle(event, context):\n    return {'hello': event['name']}\n";
/// Its file and its name.
pub(crate) const HANDLER_FILE: &str = "handler.py";
pub(crate) const HANDLER_NAME: &str = "handler.handle";
/// Minor versions, the preferred first.
const MINORS: [u32; 6] = [11, 12, 13, 14, 10, 9];

/// A real interpreter of this host and what it is to run.
pub(crate) struct Python {
    program: PathBuf,
    minor: u32,
    dir: PathBuf,
}

impl Python {
    /// Finds an interpreter, and lays bootstrap and handler into `dir`.
    pub(crate) fn find(dir: PathBuf) -> Result<Self, String> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let search = InterpreterSearch::usual(std::env::var("PATH").ok().as_deref(), home.as_deref());
        let real = |minor: u32| {
            search.directories.iter().find_map(|directory| {
                let program = directory.join(format!("python3.{minor}")).canonicalize().ok()?;
                // A script that looks for the interpreter would be measured instead of it.
                let library = program.parent()?.parent()?.join(format!("lib/python3.{minor}/os.py"));
                library.is_file().then_some(program)
            })
        };
        let found = MINORS.iter().find_map(|minor| Some((*minor, real(*minor)?)));
        let (minor, program) = found.ok_or("no Python interpreter on this host; install python3")?;
        for (name, text) in [("bootstrap.py", BOOTSTRAP), (HANDLER_FILE, HANDLER)] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self { program, minor, dir })
    }

    /// The runtime that it is.
    pub(crate) fn runtime(&self) -> String {
        format!("python3.{}", self.minor)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The bootstrap under the plain interpreter, which takes events at that address. Nothing is cached, as in a
    /// sandbox.
    pub(crate) fn command(&self, address: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["-S", "-E", "-B"])
            .arg(self.dir.join("bootstrap.py"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("_HANDLER", HANDLER_NAME)
            .env("LAMBDA_TASK_ROOT", &self.dir)
            .stdin(Stdio::null());
        command
    }

    /// Starts it once, gives it one event and ends it.
    pub(crate) async fn plain_start(&self, env: &Env) -> Result<PlainStart, String> {
        plain::start(env, |address| self.command(address)).await
    }
}
