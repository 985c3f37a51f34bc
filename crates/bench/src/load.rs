//! Clients that each do one thing after another, together, until their time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use apus_env::Env;
use tokio::sync::mpsc;

/// One client.
pub(crate) trait Client: Send + 'static {
    /// Whether a step blocks its thread: then each client has one of its own.
    const BLOCKS: bool = false;

    /// Does one thing; how many of what is counted were done, or nothing if all clients shall end.
    fn step(&mut self) -> impl Future<Output = Result<Option<u64>, String>> + Send;
}

/// Until when clients go on.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    span: Duration,
    steps: i64,
}

impl Limit {
    /// For so long.
    pub(crate) fn span(span: Duration) -> Self {
        Self { span, steps: i64::MAX }
    }

    /// For so many steps of all clients together.
    pub(crate) fn steps(steps: u64) -> Self {
        Self { span: Duration::MAX, steps: steps as i64 }
    }
}

/// What came of it.
pub(crate) struct Slice<C> {
    pub(crate) clients: Vec<C>,
    /// How many of what is counted were done.
    pub(crate) units: u64,
    pub(crate) per_second: f64,
    /// What each step took, in microseconds.
    pub(crate) micros: Vec<f64>,
}

struct Together {
    begun: Duration,
    limit: Limit,
    steps_left: AtomicI64,
    stop: AtomicBool,
}

impl Together {
    fn go_on(&self, env: &Env) -> bool {
        !self.stop.load(Ordering::Relaxed)
            && env.monotonic().saturating_sub(self.begun) < self.limit.span
            && self.steps_left.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// Runs the clients until the limit; an error of one ends all.
pub(crate) async fn drive<C: Client>(env: &Env, clients: Vec<C>, limit: Limit) -> Result<Slice<C>, String> {
    let count = clients.len();
    let together = Arc::new(Together {
        begun: env.monotonic(),
        limit,
        steps_left: AtomicI64::new(limit.steps),
        stop: AtomicBool::new(false),
    });
    let (results, mut finished) = mpsc::channel(count.max(1));
    for client in clients {
        let (together, results, clock) = (Arc::clone(&together), results.clone(), env.clone());
        let work = async move {
            let result = one(&clock, client, &together).await;
            // Nobody listens if the benchmark was cut off.
            let _cut_off = results.send(result).await;
        };
        let _detached =
            if C::BLOCKS { env.spawn_thread("bench client", work) } else { env.spawn("bench client", work) };
    }
    drop(results);
    let (mut clients, mut micros, mut units, mut last) = (Vec::new(), Vec::new(), 0, together.begun);
    while let Some(result) = finished.recv().await {
        let One { client, done, took, ended } = result?;
        clients.push(client);
        micros.extend(took);
        units += done;
        last = last.max(ended);
    }
    if clients.len() < count {
        return Err("a client ended in a panic".into());
    }
    let seconds = last.saturating_sub(together.begun).as_secs_f64();
    Ok(Slice { clients, units, per_second: units as f64 / seconds.max(1e-9), micros })
}

struct One<C> {
    client: C,
    done: u64,
    took: Vec<f64>,
    ended: Duration,
}

async fn one<C: Client>(env: &Env, mut client: C, together: &Together) -> Result<One<C>, String> {
    let (mut done, mut took, mut ended) = (0, Vec::new(), together.begun);
    while together.go_on(env) {
        let begun = env.monotonic();
        match client.step().await {
            Ok(Some(units)) => done += units,
            Ok(None) => together.stop.store(true, Ordering::Relaxed),
            Err(error) => {
                together.stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        ended = env.monotonic();
        took.push(ended.saturating_sub(begun).as_secs_f64() * 1e6);
    }
    Ok(One { client, done, took, ended })
}
