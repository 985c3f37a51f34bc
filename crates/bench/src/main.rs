//! Measures the goals of Apus's performance, each against its denominator in the same run.
//!
//! `cargo xtask bench` builds and runs this. Each benchmark is a module of [`rows`] that returns rows of the table; a
//! figure is a ratio to something that this program did not choose, taken in slices that alternate with it.

mod bare;
mod client;
mod figures;
mod in_process;
mod instance;
mod load;
mod native;
mod options;
mod peer;
mod plain;
mod python;
mod relay;
mod role;
mod rows;
mod runtime;
mod scratch;
mod side;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use apus_compute::{Level, probe};
use apus_env::Env;
use clap::Parser;

use crate::options::{Benchmark, Options};
use crate::scratch::Scratch;
use crate::table::{Row, Table, load_average};

/// The platform's own, so that what runs in this process is as fast as there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a benchmark may take; a hung one becomes a failed row, and the others still run.
const BENCHMARK_MAX: Duration = Duration::from_secs(90);
/// The same of what measures three servers.
const PEERS_MAX: Duration = Duration::from_mins(4);
/// What filling a store may take on top, per MiB.
const FILL_MAX_PER_MIB: Duration = Duration::from_millis(60);
/// What a message that is sent, received and deleted may take on top: eight times what it takes on two cores.
const CHURN_MAX_PER_MESSAGE: Duration = Duration::from_micros(200);

fn main() -> ExitCode {
    // The spawner of sandboxes is the program that embeds the platform.
    apus_compute::spawner_main(std::env::args());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: could not start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = runtime.block_on(async {
        let env = Env::real();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [relay::SERVER_ROLE] => relay::serve(&env).await.map(|()| ExitCode::SUCCESS),
            [relay::WORKER_ROLE, address, count] => {
                relay::work(&env, address, count).await.map(|()| ExitCode::SUCCESS)
            }
            [bare::ROLE] => bare::serve(&env).await.map(|()| ExitCode::SUCCESS),
            [bare::ROLE, dir, bytes] => {
                bare::serve_committing(&env, dir, bytes).await.map(|()| ExitCode::SUCCESS)
            }
            [rows::start::FILL_ROLE, dir, mib] => {
                rows::start::fill(&env, dir, mib).await.map(|()| ExitCode::SUCCESS)
            }
            _ => measure(&env, &Options::parse()).await,
        }
    });
    // Threads that wait for input hold nobody up.
    runtime.shutdown_background();
    done.unwrap_or_else(|problem| {
        eprintln!("error: {problem}");
        ExitCode::FAILURE
    })
}

async fn measure(env: &Env, options: &Options) -> Result<ExitCode, String> {
    let started = env.monotonic();
    let scratch = Scratch::new(&options.scratch_above()?)?;
    let host = probe();
    println!(
        "{} cores, isolation `{}`, load average {}, files in {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        host.best(),
        load_average(),
        scratch.path().display()
    );
    if cfg!(debug_assertions) {
        println!("this is a debug build: it shows that the rows work, its figures mean nothing");
    }
    if let Err(reason) = host.accept(Level::Full) {
        println!("ATTENTION: the platform does not start on this host, so its rows will fail: {reason}");
    }
    let mut table = Table::default();
    for benchmark in options.benchmarks() {
        eprintln!("{} …", benchmark.name());
        let limit = limit(benchmark, options);
        match env.timeout(limit, Box::pin(rows::run(benchmark, env, options, &scratch))).await {
            Ok(Ok(rows)) => table.extend(rows),
            Ok(Err(problem)) => table.extend([Row::failed(benchmark.name(), &problem)]),
            Err(_) => table.extend([Row::failed(benchmark.name(), &format!("not done after {limit:?}"))]),
        }
    }
    print!("{table}");
    let took = env.monotonic().saturating_sub(started);
    println!("load average {} after {:.0} s", load_average(), took.as_secs_f64());
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", table.to_json());
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(if table.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a benchmark may take.
fn limit(benchmark: Benchmark, options: &Options) -> Duration {
    match benchmark {
        Benchmark::Restart => BENCHMARK_MAX + FILL_MAX_PER_MIB * options.state_mib(),
        Benchmark::Churn => BENCHMARK_MAX + CHURN_MAX_PER_MESSAGE * options.churn(),
        Benchmark::Peers => PEERS_MAX,
        _ => BENCHMARK_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_million_messages_at_ten_thousand_a_second_are_not_cut_off() {
        let arguments = ["apus-bench", "--apus", "apus", "--churn", "10000000"];
        let options = Options::try_parse_from(arguments).expect("they are options");
        assert!(limit(Benchmark::Churn, &options) >= Duration::from_secs(1_000));
    }
}
