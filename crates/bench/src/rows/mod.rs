//! The benchmarks: each gives rows of the table.

mod burst;
mod churn;
mod consumers;
mod functions;
mod mappings;
mod objects;
mod peers;
mod sends;
pub(crate) mod start;

use std::path::Path;

use apus_env::Env;

use crate::options::{Benchmark, Options};
use crate::scratch::Scratch;
use crate::table::Row;

/// Runs one benchmark, in a directory of its own that is gone afterwards.
pub(crate) async fn run(
    benchmark: Benchmark,
    env: &Env,
    options: &Options,
    scratch: &Scratch,
) -> Result<Vec<Row>, String> {
    let dir = scratch.dir(benchmark.name())?;
    let rows = match benchmark {
        Benchmark::Start => start::first_answer(env, options, &dir).await,
        Benchmark::Restart => start::restart(env, options, &dir).await,
        Benchmark::Sends => sends::rows(env, options, &dir).await,
        Benchmark::Consumers => consumers::rows(env, options, &dir).await,
        Benchmark::Invoke => functions::warm(env, options, &dir).await,
        Benchmark::Cold => functions::cold(env, options, &dir).await,
        Benchmark::Thaw => functions::thaw(env, options, &dir).await,
        Benchmark::Burst => burst::rows(env, options, &dir).await,
        Benchmark::Mappings => mappings::rows(env, options, &dir).await,
        Benchmark::Churn => churn::rows(env, options, &dir).await,
        Benchmark::Objects => objects::rows(env, options, &dir).await,
        Benchmark::Peers => peers::rows(env, options, &dir).await,
    };
    // What is left goes with the scratch directory.
    let _left = std::fs::remove_dir_all(&dir);
    rows
}

/// A new directory beneath another.
fn subdir(dir: &Path, name: &str) -> Result<std::path::PathBuf, String> {
    let path = dir.join(name);
    std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// What the files beneath a directory take on the disk. Those that go meanwhile are not counted.
fn bytes_beneath(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let mut open = vec![dir.to_owned()];
    let mut bytes = 0;
    while let Some(path) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&path) else { continue };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                // In units of 512 bytes, whatever the file system's are.
                Ok(metadata) => bytes += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}
