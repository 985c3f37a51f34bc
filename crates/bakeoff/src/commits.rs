//! Durable commits per second: many writers, one small value each, engines taking turns.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::engines::{Engine, Kind};
use crate::{Failure, Noise, cpu_micros, fresh};
use apus_env::Env;

pub(crate) async fn measure(
    env: &Env,
    dir: &Path,
    writers: usize,
    value_bytes: usize,
    seconds: u64,
    rounds: u32,
) -> Result<(), Failure> {
    let mut rates: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for round in 0..rounds {
        for kind in Kind::ALL {
            let dir = fresh(dir, kind)?;
            let engine = Engine::open(env, kind, &dir)?;
            let (rate, cpu, p50, p99) =
                run(env, &engine, writers, value_bytes, Duration::from_secs(seconds)).await?;
            println!(
                "round {round}: {:7} {rate:9.0} commits/s, {cpu:5.1} cpu-us each, p50 {p50} us, p99 {p99} us",
                kind.name()
            );
            if let Engine::Apus(store) = &engine {
                let metrics = store.metrics();
                println!(
                    "         {:.1} commits in a batch",
                    metrics.commits as f64 / metrics.batches as f64
                );
            }
            let (rates, cpus) = rates.entry(kind.name()).or_default();
            rates.push(rate);
            cpus.push(cpu);
            engine.close().await;
        }
    }
    println!(
        "\n| engine | commits/s median | best | of append's best | cpu-us each, median |\n|---|---|---|---|---|"
    );
    let best_append =
        rates.get("append").map_or(f64::NAN, |(rates, _)| rates.iter().copied().fold(0.0, f64::max));
    for (name, (rates, cpus)) in &mut rates {
        let (median, best) = (median(rates), rates.iter().copied().fold(0.0, f64::max));
        println!(
            "| {name} | {median:.0} | {best:.0} | {:.2} | {:.1} |",
            best / best_append,
            self::median(cpus)
        );
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn run(
    env: &Env,
    engine: &Engine,
    writers: usize,
    value_bytes: usize,
    span: Duration,
) -> Result<(f64, f64, u128, u128), Failure> {
    let (start, cpu, noise) = (env.monotonic(), cpu_micros(), Noise::new(env));
    let (results, mut collected) = tokio::sync::mpsc::unbounded_channel();
    for writer in 0..writers {
        let (clock, engine, results, noise) = (env.clone(), engine.clone(), results.clone(), noise.clone());
        let _detached = env.spawn("writer", async move {
            let mut latencies = Vec::new();
            while clock.monotonic().saturating_sub(start) < span {
                let mut key = vec![0; 16];
                clock.random_bytes(&mut key);
                let value = noise.value(value_bytes, clock.random_u64());
                let begun = clock.monotonic();
                if let Err(error) = engine.write(&vec![(key.into(), Some(value))]).await {
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
    let cpu = (cpu_micros() - cpu) as f64 / latencies.len() as f64;
    Ok((latencies.len() as f64 / elapsed, cpu, at(50), at(99)))
}
