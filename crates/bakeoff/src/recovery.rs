//! Recovery: the time from a start to the first answer, after a process with a store of some size was killed;
//! and point reads from that store.

use std::path::Path;
use std::process::Command;

use apus_env::Env;
use bytes::Bytes;

use crate::engines::{Changes, Engine, Kind};
use crate::{Failure, Noise, disk_usage, fresh};

const VALUE_BYTES: usize = 1_024;
const PER_COMMIT: u64 = 1_000;
const READS: u64 = 200_000;

pub(crate) fn measure(_env: &Env, dir: &Path, gigabytes: f64) -> Result<(), Failure> {
    println!("| engine | loaded in s | disk MB | open ms | opened again ms | read ns p50 | p99 |");
    println!("|---|---|---|---|---|---|---|");
    for kind in Kind::STORES {
        let own = fresh(dir, kind)?;
        let child = |what: &str| {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("--dir").arg(&own).args([what, "--engine", kind.name()]);
            command.args(["--gigabytes", &gigabytes.to_string()]);
            Ok::<_, Failure>(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
        };
        let loaded = child("load")?;
        let disk = disk_usage(&own) >> 20;
        let (first, again) = (child("open")?, child("open")?);
        let open = |told: &str| told.split(' ').next().unwrap_or("?").to_owned();
        let reads = again.split(' ').skip(1).collect::<Vec<_>>().join(" | ");
        println!("| {} | {loaded} | {disk} | {} | {} | {reads} |", kind.name(), open(&first), open(&again));
    }
    Ok(())
}

fn count(gigabytes: f64) -> u64 {
    (gigabytes * 1e9 / VALUE_BYTES as f64) as u64
}

/// Keys in no order, as far as an engine can tell.
fn key(number: u64) -> Bytes {
    let mixed =
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    Bytes::from([mixed.to_be_bytes(), number.to_be_bytes()].concat())
}

pub(crate) async fn load(env: &Env, dir: &Path, kind: Kind, gigabytes: f64) -> Result<(), Failure> {
    let engine = Engine::open(env, kind, dir)?;
    let start = env.monotonic();
    let noise = Noise::new(env);
    for first in (0..count(gigabytes)).step_by(PER_COMMIT as usize) {
        let changes: Changes =
            (first..first + PER_COMMIT).map(|n| (key(n), Some(noise.value(VALUE_BYTES, n)))).collect();
        engine.write(&changes).await?;
    }
    println!("{:.0}", env.monotonic().saturating_sub(start).as_secs_f64());
    // As a kill does: nothing is closed, nothing is flushed.
    std::process::abort();
}

pub(crate) async fn open(env: &Env, dir: &Path, kind: Kind, gigabytes: f64) -> Result<(), Failure> {
    let start = env.monotonic();
    let engine = Engine::open(env, kind, dir)?;
    let found = engine.read(&key(0)).await?;
    assert_eq!(found, Some(VALUE_BYTES), "the first row is there");
    let opened = env.monotonic().saturating_sub(start).as_secs_f64() * 1e3;
    let mut latencies = Vec::new();
    for _ in 0..READS {
        let key = key(env.random_below(count(gigabytes)));
        let begun = env.monotonic();
        let found = engine.read(&key).await?;
        latencies.push(env.monotonic().saturating_sub(begun).as_nanos());
        assert_eq!(found, Some(VALUE_BYTES), "every row is there");
    }
    latencies.sort_unstable();
    let at = |part: usize| latencies[latencies.len() * part / 100];
    println!("{opened:.1} {} {}", at(50), at(99));
    std::process::abort();
}
