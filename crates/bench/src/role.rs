//! Processes of this program in another role: what is measured against works beside us, not among us.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

use apus_env::Env;

use crate::instance::first_line;

/// A process of this program in another role. Killed when dropped.
pub(crate) struct RoleProcess {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl RoleProcess {
    /// Starts this program with these arguments, of which the first names the role, and waits for its first line.
    pub(crate) async fn start(env: &Env, arguments: &[&OsStr]) -> Result<Self, String> {
        let role = || arguments.first().map(|role| role.to_string_lossy()).unwrap_or_default();
        let failed = |error: std::io::Error| format!("`{}` could not be started: {error}", role());
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        // It ends when its input does, so with us.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        // Killed if what follows fails.
        let mut this = Self { child, said: String::new() };
        let line = first_line(env, &mut this.child).await?;
        this.said.push_str(line.trim());
        Ok(this)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Ends this process when whoever started it is gone.
pub(crate) fn end_with_input(env: &Env) {
    let _detached = env.spawn_thread("watch input", async {
        // Whether it ends or fails, nobody is there any more.
        let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
