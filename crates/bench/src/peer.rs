//! A peer under measurement: ministack, another server of AWS's APIs, as a process of its own.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apus_env::Env;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Api, Connection};
use crate::instance::descendants;

/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_secs(30);
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// The peer's process. Killed when dropped, with those that it started.
pub(crate) struct Peer {
    child: Child,
    api: Api,
    /// What it calls itself, and its version.
    pub(crate) name: String,
}

impl Peer {
    /// Starts it on loopback, on a port and in a directory of its own, and waits for its first answer.
    pub(crate) async fn start(env: &Env, program: &Path, dir: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", program.display());
        // It takes no port 0; between here and its start another might take this one, and then it fails.
        let port =
            TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).map_err(failed)?.port();
        let log = File::create(dir.join("log")).map_err(failed)?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("LOG_LEVEL", "WARNING")
            // Nothing that listens elsewhere.
            .env("SFTP_ENABLED", "0")
            .env("IOT_MTLS_ENABLED", "0")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        for name in ["HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR"] {
            let path = dir.join(name.to_ascii_lowercase());
            std::fs::create_dir_all(&path).map_err(failed)?;
            command.env(name, path);
        }
        let address = format!("127.0.0.1:{port}");
        let child = command.spawn().map_err(failed)?;
        // Killed if what follows fails.
        let mut this = Self { child, api: Api::new(env, &*address).renewing(), name: String::new() };
        let health = format!("GET /_ministack/health HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let answered = env.timeout(START_MAX, async {
            loop {
                if let Ok(Some(status)) = this.child.try_wait() {
                    return Err(format!("it ended with {status}"));
                }
                if let Ok(mut connection) = Connection::open(&address).await {
                    return connection.exchange(health.as_bytes()).await?.json();
                }
                env.sleep(LOOKS_EVERY).await;
            }
        });
        let answer = answered.await.unwrap_or_else(|_| Err(format!("no answer within {START_MAX:?}")));
        let told = answer.map_err(|problem| {
            let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            format!("ministack did not start: {problem}\n{log}")
        })?;
        this.name = format!("ministack {}", told["version"].as_str().unwrap_or("of an unknown version"));
        Ok(this)
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its workers are processes of its own, which it does not take with it.
        for id in descendants(self.child.id()).into_iter().rev() {
            if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                // A process that is gone already is what we want.
                let _gone = kill_process(id, Signal::KILL);
            }
        }
        let _gone = self.child.wait();
    }
}
