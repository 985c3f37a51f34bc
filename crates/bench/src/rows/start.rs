//! Start to first answer, idle memory, and the restart after SIGKILL with state.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apus_env::Env;
use apus_store::{Key, Store, StoreError};
use serde_json::json;

use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::{Figures, number};
use crate::instance::{Instance, memory_mb};
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::role::{RoleProcess, end_with_input};
use crate::table::{Goal, Row};

/// The first argument of the process that fills a store and waits to be killed.
pub(crate) const FILL_ROLE: &str = "fill";
const FILLERS: usize = 32;
const FILL_VALUE_BYTES: usize = 1_024;
const FILL_VALUES_PER_COMMIT: u64 = 64;
/// What is sent before each kill but the first, so that there is something to recover.
const SENDS_BEFORE_KILL: usize = 200;
const RESTARTS: usize = 5;
/// When a platform that has answered counts as idle.
const IDLE_AFTER: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 1 << 20;

/// Starts on empty directories.
pub(crate) async fn first_answer(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let (mut fresh, mut program) = (Figures::new("ms"), Figures::new("ms"));
    let mut memory = Figures::new("MB");
    let mut notes = String::new();
    for round in 0..options.rounds() {
        let data = subdir(dir, &format!("fresh-{round}"))?;
        let instance = Instance::start(env, &options.apus, &data).await?;
        fresh.push_ms(instance.first_answer);
        if round == 0 {
            env.sleep(IDLE_AFTER).await;
            let processes = instance.processes();
            let sum =
                |file, field| processes.iter().filter_map(|id| memory_mb(*id, file, field)).sum::<f64>();
            memory.push(sum("status", "VmRSS"));
            let main = processes.first().and_then(|id| memory_mb(*id, "status", "VmRSS")).unwrap_or(f64::NAN);
            notes = format!(
                "resident memory summed over {} processes, shared pages counted in each; the platform's own process {}, \
                 proportionally shared {} in all",
                processes.len(),
                number(main),
                number(sum("smaps_rollup", "Pss"))
            );
        }
        instance.stop(env).await;
        let begun = env.monotonic();
        let status = Command::new(&options.apus).arg("--version").stdout(Stdio::null()).status();
        status.map_err(|error| format!("{}: {error}", options.apus.display()))?;
        program.push_ms(env.monotonic().saturating_sub(begun));
    }
    Ok(vec![
        Row::new("start to first answer, empty directory", &fresh, Goal::MedianAtMost(50.0))
            .against("`apus --version`", &program),
        Row::new("idle memory after the first answer", &memory, Goal::MedianAtMost(30.0)).note(notes),
    ])
}

/// Starts again on a store that was filled, after kills.
pub(crate) async fn restart(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let mib = options.state_mib();
    let data = subdir(dir, "state")?;
    let store = data.join("store");
    fill_and_kill(env, &store, mib).await?;
    let (mut first, mut again, mut reading) = (Figures::new("ms"), Figures::new("ms"), Figures::new("ms"));
    let mut bytes = 0;
    for round in 0..=RESTARTS {
        let begun = env.monotonic();
        bytes = read_all(&store)?;
        reading.push_ms(env.monotonic().saturating_sub(begun));
        let instance = Instance::start(env, &options.apus, &data).await?;
        if round == 0 { &mut first } else { &mut again }.push_ms(instance.first_answer);
        send_some(instance.api()).await?;
        instance.kill();
    }
    let denominator = "reading the store's files once, cached";
    let note = format!("{mib} MiB of values; the store's files have {} MiB", bytes >> 20);
    Ok(vec![
        Row::new(
            format!("restart after SIGKILL right after writing {mib} MiB"),
            &first,
            Goal::MedianAtMost(1_000.0),
        )
        .against(denominator, &reading)
        .note(note),
        Row::new(format!("restart after SIGKILL with {mib} MiB, later"), &again, Goal::MedianAtMost(1_000.0))
            .against(denominator, &reading),
    ])
}

async fn send_some(api: &Api) -> Result<(), String> {
    let url = api.create_queue("restart").await?;
    let request = api.sqs("SendMessage", &json!({ "QueueUrl": url, "MessageBody": "x".repeat(256) }))?;
    let mut connection: Connection = api.connect().await?;
    for _ in 0..SENDS_BEFORE_KILL {
        connection.exchange(&request).await?.ok()?;
    }
    Ok(())
}

/// Reads every file beneath a directory to its end; how many bytes there were.
fn read_all(dir: &Path) -> Result<u64, String> {
    use std::io::Read;

    let mut open = vec![dir.to_owned()];
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    while let Some(path) = open.pop() {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(failed)? {
                open.push(entry.map_err(failed)?.path());
            }
            continue;
        }
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                read => bytes += read as u64,
            }
        }
    }
    Ok(bytes)
}

/// Fills a store in a process of its own and kills it while it is open.
async fn fill_and_kill(env: &Env, store: &Path, mib: u32) -> Result<(), String> {
    let mut process =
        RoleProcess::start(env, &[FILL_ROLE.as_ref(), store.as_os_str(), mib.to_string().as_ref()]).await?;
    let said = filled(env, &mut process).await;
    drop(process);
    match said?.trim() {
        "filled" => Ok(()),
        other => Err(format!("the store was not filled: {other:?}")),
    }
}

/// Waits for the line that says so: longer than for a start, as it writes much.
async fn filled(env: &Env, process: &mut RoleProcess) -> Result<String, String> {
    // The first line comes at once, the second when all is written.
    if process.said != "filling" {
        return Err(format!("the store is not being filled: {:?}", process.said));
    }
    let output = process.child().stdout.take().ok_or("the program's output is not ours")?;
    let (sender, line) = tokio::sync::oneshot::channel();
    let _detached = env.spawn_thread("filled", async move {
        let mut line = String::new();
        let read = std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line);
        // Nobody listens if the benchmark was cut off.
        let _cut_off = sender.send(read.map(|_| line));
    });
    line.await.map_err(|_| "the filling ended")?.map_err(|error| error.to_string())
}

/// The process that fills: writes, says so, and waits for its end.
pub(crate) async fn fill(env: &Env, dir: &str, mib: &str) -> Result<(), String> {
    end_with_input(env);
    println!("filling");
    let mib: u64 = mib.parse().map_err(|_| format!("no size: {mib:?}"))?;
    let store = Store::open_dir(env, dir).map_err(|error| error.to_string())?;
    let next = Arc::new(AtomicU64::new(0));
    let fillers = (0..FILLERS).map(|_| Filler { store: store.clone(), next: Arc::clone(&next) }).collect();
    let commits = (mib << 20) / (FILL_VALUE_BYTES as u64 * FILL_VALUES_PER_COMMIT);
    let slice = drive(env, fillers, Limit::steps(commits)).await?;
    println!("filled");
    eprintln!("  {mib} MiB at {} values/s", number(slice.per_second));
    std::future::pending().await
}

struct Filler {
    store: Store,
    next: Arc<AtomicU64>,
}

impl Client for Filler {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let first = self.next.fetch_add(FILL_VALUES_PER_COMMIT, Ordering::Relaxed);
        let done = self.store.transact(|tx| async move {
            for number in first..first + FILL_VALUES_PER_COMMIT {
                // Spread over the key space, as the keys of many owners are.
                let key = Key::of(("bench", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
                tx.put(&key, vec![number as u8; FILL_VALUE_BYTES]);
            }
            Ok::<_, StoreError>(())
        });
        done.await.map_err(|error| error.to_string())?;
        Ok(Some(FILL_VALUES_PER_COMMIT))
    }
}
