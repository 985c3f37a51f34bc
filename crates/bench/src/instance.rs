//! A running platform: the binary under measurement, as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apus_env::Env;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

use crate::client::{Api, Connection};

/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_mins(1);
/// A stop that takes longer is ended by SIGKILL.
const STOP_MAX: Duration = Duration::from_secs(10);
const STOP_LOOKS_EVERY: Duration = Duration::from_millis(20);

/// The platform's process. Killed when dropped.
pub(crate) struct Instance {
    child: Child,
    api: Api,
    /// From the start of the program to the first answer.
    pub(crate) first_answer: Duration,
}

impl Instance {
    /// Starts the platform on a data directory, on a free port, and waits for its first answer.
    pub(crate) async fn start(env: &Env, apus: &Path, data_dir: &Path) -> Result<Self, String> {
        Self::start_on(env, apus, Command::new(apus).arg("start").arg("--data-dir").arg(data_dir)).await
    }

    /// Starts it with nothing on disk.
    pub(crate) async fn start_ephemeral(env: &Env, apus: &Path) -> Result<Self, String> {
        Self::start_on(env, apus, Command::new(apus).args(["start", "--ephemeral"])).await
    }

    async fn start_on(env: &Env, apus: &Path, command: &mut Command) -> Result<Self, String> {
        // Ten invocations a second for each that may be under way, and what is measured is faster than the usual quota.
        command.args(["--port", "0", "--concurrency-limit", "1000000"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let begun = env.monotonic();
        let child = command.spawn().map_err(|error| format!("{}: {error}", apus.display()))?;
        // Killed if what follows fails.
        let mut this = Self { child, api: Api::new(env, ""), first_answer: Duration::ZERO };
        let line = first_line(env, &mut this.child).await?;
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address =
            address.ok_or_else(|| format!("the platform did not say where it listens: {line:?}"))?;
        let health = format!("GET /_apus/health HTTP/1.1\r\nhost: {address}\r\n\r\n");
        Connection::open(address).await?.exchange(health.as_bytes()).await?.ok()?;
        this.first_answer = env.monotonic().saturating_sub(begun);
        this.api = Api::new(env, address);
        Ok(this)
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process and those it started.
    pub(crate) fn processes(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.kill_and_wait();
    }

    /// SIGTERM, and the end that follows.
    pub(crate) async fn stop(mut self, env: &Env) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A process that is gone already is what we want.
            let _gone = kill_process(id, Signal::TERM);
        }
        let _killed_by_drop = env
            .timeout(STOP_MAX, async {
                while matches!(self.child.try_wait(), Ok(None)) {
                    env.sleep(STOP_LOOKS_EVERY).await;
                }
            })
            .await;
    }

    fn kill_and_wait(&mut self) {
        // Both fail only if it is gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill_and_wait();
    }
}

/// The first line that a program prints; what it prints later is discarded with the pipe.
pub(crate) async fn first_line(env: &Env, child: &mut Child) -> Result<String, String> {
    let output = child.stdout.take().ok_or("the program's output is not ours")?;
    let (sender, line) = oneshot::channel();
    let _detached = env.spawn_thread("first line", async move {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let read = output.read_line(&mut line).map(|_| line);
        // Nobody listens if it came too late.
        let _late = sender.send((read, output));
    });
    match env.timeout(START_MAX, line).await {
        Ok(Ok((Ok(line), output))) if !line.is_empty() => {
            // Kept open, so that a program that prints more does not die of it.
            child.stdout = Some(output.into_inner());
            Ok(line)
        }
        Ok(_) => Err("the program ended without a word; its complaint stands above".into()),
        Err(_) => Err(format!("the program said nothing within {START_MAX:?}")),
    }
}

/// A process, and behind it those it started, and those they started.
pub(crate) fn descendants(id: u32) -> Vec<u32> {
    let mut found = vec![id];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        found.extend(children(id));
        next += 1;
    }
    found
}

/// The processes that a process started.
fn children(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// A field of a process's memory in MB, from a file of `/proc/<id>`: `VmRSS` of `status`, `Pss` of `smaps_rollup`.
pub(crate) fn memory_mb(id: u32, file: &str, field: &str) -> Option<f64> {
    let text = std::fs::read_to_string(PathBuf::from(format!("/proc/{id}")).join(file)).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: f64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024.0 / 1e6)
}

/// The processor time that these processes have taken so far, in the kernel's ticks of ten milliseconds.
pub(crate) fn processor_time(processes: Vec<u32>) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let ticks = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The second field is a name in parentheses, which may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let [user, system] = [fields.get(11)?, fields.get(12)?].map(|field| field.parse::<u32>());
        Some(user.ok()? + system.ok()?)
    };
    TICK * processes.into_iter().filter_map(ticks).sum::<u32>()
}
