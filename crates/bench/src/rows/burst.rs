//! From no environment to many at once, and what each of them holds in memory afterwards.

use std::path::Path;
use std::time::Duration;

use apus_env::Env;
use serde_json::{Value, json};

use super::functions::{Functions, Invoker, Kind, LARGE_MB, SMALL_MB};
use super::subdir;
use crate::figures::Figures;
use crate::instance::{Instance, memory_mb};
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::python::Python;
use crate::table::{Goal, Row};

/// Says when it was entered, and keeps its environment busy until all others have started.
const HOLDING: &str = "\
import time
def handle(event, context):
    entered = time.time_ns() // 1000
    time.sleep(event.get('hold_ms', 0) / 1000)
    return {'entered_micros': entered}
";
/// Cold starts that are measured one by one before the burst.
const SINGLES: usize = 5;
/// How many times the goal an environment is held: a slower burst is told as such.
const HOLD_FACTOR: u32 = 2;

/// Bursts of Python at two sizes, and of native functions.
pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let hello = python.runtime();
    let mut rows = Vec::new();
    for (name, mb, kind) in [
        ("native", SMALL_MB, Kind::native()?),
        (hello.as_str(), SMALL_MB, Kind::python(&python, HOLDING)?),
        (hello.as_str(), LARGE_MB, Kind::python(&python, HOLDING)?),
    ] {
        let data = subdir(dir, &format!("data-{name}-{mb}"))?;
        rows.extend(one(env, options, &data, (name, mb, &kind)).await?);
    }
    Ok(rows)
}

async fn one(
    env: &Env,
    options: &Options,
    data: &Path,
    (name, mb, kind): (&str, u32, &Kind),
) -> Result<Vec<Row>, String> {
    let count = options.burst();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let instance = Instance::start(env, &options.apus, data).await?;
    let functions = Functions::new(env, instance.api()).await?;
    let mut single = Figures::new("ms");
    for round in 0..=SINGLES {
        let event = json!({ "hold_ms": 0 }).to_string();
        let invoker = functions.client_with(&format!("single-{round}"), kind, mb, &event).await?;
        let mut held = Held::new(env, invoker);
        held.step().await?;
        // The first also starts what the platform starts once.
        if round > 0 {
            single.push(held.entered_after_ms);
        }
    }
    let share = single.median() * count as f64 / cores as f64;
    let hold = Duration::from_secs_f64(share * 2.0 / 1e3) * HOLD_FACTOR + Duration::from_millis(500);
    let event = json!({ "hold_ms": hold.as_millis() as u64 }).to_string();
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Held::new(env, functions.client_with("burst", kind, mb, &event).await?));
    }
    let before = Memory::of(&instance);
    let slice = drive(env, clients, Limit::steps(count as u64)).await?;
    let after = Memory::of(&instance);
    instance.stop(env).await;

    let mut entered = Figures::new("ms");
    entered.extend(slice.clients.iter().map(|held| held.entered_after_ms));
    let mut shares = Figures::new("ms");
    shares.push(share);
    let mut rate = Figures::new("/s");
    rate.push(count as f64 / entered.percentile(100) * 1e3);
    let isolation = apus_compute::probe().level();
    let mut high = Figures::new("ms");
    high.push(entered.percentile(99));
    let burst = format!("burst from 0 to {count} environments, {name}, {mb} MB, isolation {isolation}");
    let mut rows = vec![
        Row::new(format!("{burst}, call to handler entered, p99"), &high, Goal::RatioAtMost(2.0))
            .against(format!("{count} x one cold start / {cores} cores"), &shares)
            .note(format!("{name}, {mb} MB: one by one a cold start takes {single}; in the burst {entered}")),
        Row::new(format!("{burst}, environments started"), &rate, Goal::None),
    ];
    if let (Some(before), Some(after)) = (before, after) {
        let each = |after: f64, before: f64| (after - before) / count as f64;
        let mut private = Figures::new("MB");
        private.push(each(after.functions_private, before.functions_private));
        rows.push(
            Row::new(format!("private memory per idle environment, {name}, {mb} MB"), &private, Goal::None).note(format!(
                "{name}: shared pages counted by their part it is {:.2} MB; the platform's own processes grew by {:.3} MB for each",
                each(after.functions_pss, before.functions_pss),
                each(after.platform_pss, before.platform_pss),
            )),
        );
    }
    Ok(rows)
}

/// Invokes and notes how long after the call the handler was entered.
struct Held {
    env: Env,
    invoker: Invoker,
    entered_after_ms: f64,
}

impl Held {
    fn new(env: &Env, invoker: Invoker) -> Self {
        Self { env: env.clone(), invoker, entered_after_ms: f64::NAN }
    }
}

impl Client for Held {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let called = self.env.now().as_micros();
        let answer = self.invoker.answer().await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let entered = answer["entered_micros"].as_i64().ok_or_else(|| format!("no time in {answer}"))?;
        self.entered_after_ms = (entered - called) as f64 / 1e3;
        Ok(Some(1))
    }
}

/// What the platform's processes and those of functions hold, in MB.
struct Memory {
    platform_pss: f64,
    functions_pss: f64,
    functions_private: f64,
}

impl Memory {
    /// Nothing where this user may not look.
    fn of(instance: &Instance) -> Option<Self> {
        const FILE: &str = "smaps_rollup";
        let (functions, platform): (Vec<u32>, Vec<u32>) =
            instance.processes().into_iter().partition(|id| is_inside(*id));
        let sum = |processes: &[u32], field: &str| {
            // One that has just ended holds nothing.
            processes.iter().filter_map(|id| memory_mb(*id, FILE, field)).sum::<f64>()
        };
        let platform_pss = sum(&platform, "Pss");
        (platform_pss > 0.0).then(|| Self {
            platform_pss,
            functions_pss: sum(&functions, "Pss"),
            functions_private: sum(&functions, "Private_Clean") + sum(&functions, "Private_Dirty"),
        })
    }
}

/// Whether a process is in a namespace of processes below ours.
fn is_inside(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("NSpid:") && line.split_whitespace().count() > 2)
}
