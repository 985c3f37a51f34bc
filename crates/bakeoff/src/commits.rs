//! Durable commits per second: many writers, one small value each, engines taking turns.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use apus_env::Env;
use bytes::Bytes;

use crate::engines::{Engine, Kind};
use crate::{Failure, fresh};

pub(crate) async fn measure(
    env: &Env,
    dir: &Path,
    writers: usize,
    value_bytes: usize,
    seconds: u64,
    rounds: u32,
) -> Result<(), Failure> {
    let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        for kind in Kind::ALL {
            let dir = fresh(dir, kind)?;
            let engine = Engine::open(env, kind, &dir)?;
            let (rate, p50, p99) =
                run(env, &engine, writers, value_bytes, Duration::from_secs(seconds)).await?;
            println!("round {round}: {:7} {rate:9.0} commits/s, p50 {p50} us, p99 {p99} us", kind.name());
            if let Engine::Apus(store) = &engine {
                let metrics = store.metrics();
                println!(
                    "         {:.1} commits in a batch",
                    metrics.commits as f64 / metrics.batches as f64
                );
            }
            rates.entry(kind.name()).or_default().push(rate);
            engine.close().await;
        }
    }
    println!("\n| engine | commits/s (median) | of append |\n|---|---|---|");
    let median = |name: &str| {
        let mut rates = rates.get(name).cloned().unwrap_or_default();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
    };
    for kind in Kind::ALL {
        println!(
            "| {} | {:.0} | {:.2} |",
            kind.name(),
            median(kind.name()),
            median(kind.name()) / median("append")
        );
    }
    Ok(())
}

async fn run(
    env: &Env,
    engine: &Engine,
    writers: usize,
    value_bytes: usize,
    span: Duration,
) -> Result<(f64, u128, u128), Failure> {
    let start = env.monotonic();
    let (results, mut collected) = tokio::sync::mpsc::unbounded_channel();
    for writer in 0..writers {
        let (clock, engine, results) = (env.clone(), engine.clone(), results.clone());
        let _detached = env.spawn("writer", async move {
            let value = Bytes::from(vec![7; value_bytes]);
            let mut latencies = Vec::new();
            while clock.monotonic().saturating_sub(start) < span {
                let mut key = vec![0; 16];
                clock.random_bytes(&mut key);
                let begun = clock.monotonic();
                if let Err(error) = engine.write(&vec![(key.into(), Some(value.clone()))]).await {
                    eprintln!("writer {writer}: {error}");
                    break;
                }
                latencies.push(clock.monotonic().saturating_sub(begun));
            }
            let _ = results.send(latencies);
        });
    }
    drop(results);
    let mut latencies = Vec::new();
    while let Some(more) = collected.recv().await {
        latencies.extend(more);
    }
    let elapsed = env.monotonic().saturating_sub(start).as_secs_f64();
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 100).map_or(0, Duration::as_micros);
    Ok((latencies.len() as f64 / elapsed, at(50), at(99)))
}
