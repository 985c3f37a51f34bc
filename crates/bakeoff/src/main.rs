//! Measures storage engines side by side, interleaved in one run: group commits per second, recovery after a
//! kill, space after a queue's churn, point reads. It asserts nothing and keeps no results.

mod churn;
mod commits;
mod engines;
mod recovery;

use std::path::{Path, PathBuf};

use apus_env::Env;
use clap::{Parser, Subcommand};

use engines::Kind;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    /// Where the engines keep their files; emptied first.
    #[arg(long)]
    dir: PathBuf,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Durable commits per second, with many writers.
    Commits {
        #[arg(long, default_value_t = 128)]
        writers: usize,
        #[arg(long, default_value_t = 256)]
        value_bytes: usize,
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// The time to open a store of some size after a kill, and point reads from it.
    Recovery {
        #[arg(long, default_value_t = 2.0)]
        gigabytes: f64,
    },
    /// Space on disk after short-lived messages.
    Churn {
        #[arg(long, default_value_t = 10_000_000)]
        messages: u64,
    },
    /// For `recovery`: fills a store and ends as a killed process does.
    #[command(hide = true)]
    Load {
        #[arg(long)]
        engine: String,
        #[arg(long)]
        gigabytes: f64,
    },
    /// For `recovery`: opens a store and reads from it.
    #[command(hide = true)]
    Open {
        #[arg(long)]
        engine: String,
        #[arg(long)]
        gigabytes: f64,
    },
}

fn main() -> Result<(), Failure> {
    let Arguments { dir, measure } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    runtime.block_on(async {
        let env = Env::real();
        match measure {
            Measure::Commits { writers, value_bytes, seconds, rounds } => {
                commits::measure(&env, &dir, writers, value_bytes, seconds, rounds).await
            }
            Measure::Recovery { gigabytes } => recovery::measure(&env, &dir, gigabytes),
            Measure::Churn { messages } => churn::measure(&env, &dir, messages).await,
            Measure::Load { engine, gigabytes } => {
                recovery::load(&env, &dir, Kind::parse(&engine)?, gigabytes).await
            }
            Measure::Open { engine, gigabytes } => {
                recovery::open(&env, &dir, Kind::parse(&engine)?, gigabytes).await
            }
        }
    })
}

/// An empty directory for one engine.
fn fresh(dir: &Path, kind: Kind) -> Result<PathBuf, Failure> {
    let dir = dir.join(kind.name());
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Values that do not compress: slices of a stretch of random bytes.
#[derive(Clone)]
struct Noise(bytes::Bytes);

impl Noise {
    fn new(env: &Env) -> Self {
        let mut bytes = vec![0; 1 << 20];
        env.random_bytes(&mut bytes);
        Self(bytes.into())
    }

    fn value(&self, length: usize, number: u64) -> bytes::Bytes {
        let start = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % (self.0.len() - length);
        self.0.slice(start..start + length)
    }
}

/// Processor time that this process has used, in microseconds.
fn cpu_micros() -> u64 {
    const MICROS_PER_TICK: u64 = 10_000;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // User and system time are the 14th and 15th fields; the first two come before the parenthesis.
    (ticks(11) + ticks(12)) * MICROS_PER_TICK
}

/// Bytes that the files of a directory take on disk.
fn disk_usage(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let usage = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_usage(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(usage).sum()
}
