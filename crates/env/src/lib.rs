//! Time, chance and spawning as inputs: a real environment and a simulated one.
//!
//! Everything above takes an [`Env`] and asks it for the time, for random bytes and for tasks, so that the
//! whole platform runs unchanged under [`sim::Simulator`], where a seed decides all three. This crate knows
//! nothing of what is run; it refuses to offer a clock without a handle.

mod environment;
mod hash;
mod real;
mod seen_through;
pub mod sim;
mod task;
mod timeout;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use apus_time::Timestamp;

pub use hash::{HashMap, HashSet, SeedState};
pub use seen_through::SeenThrough;
pub use task::{Stopped, Task, yield_now};
pub use timeout::Elapsed;

use environment::Environment;

/// A handle on time, chance and spawning. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    inner: Arc<dyn Environment>,
}

impl Env {
    /// The real world. Tasks and timers run on the tokio runtime that the caller is in.
    ///
    /// Panics outside of a tokio runtime with its time driver enabled: a mistake in the wiring.
    pub fn real() -> Self {
        Self { inner: Arc::new(real::RealEnvironment::new()) }
    }

    pub(crate) fn from_environment(inner: Arc<dyn Environment>) -> Self {
        Self { inner }
    }

    /// The wall clock. Never goes backwards within a process, even if the system's clock does.
    pub fn now(&self) -> Timestamp {
        self.inner.now()
    }

    /// Time since this environment was made, for measuring spans. [`Self::advance`] does not move it when real.
    pub fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    /// Moves the wall clock forward, as if someone had set it: [`Self::now`] jumps and every
    /// [`Self::sleep_until`] whose time has come wakes. Spans (`sleep`, `timeout`) go on as they were.
    pub fn advance(&self, by: Duration) {
        self.inner.advance(by);
    }

    /// Waits until the wall clock shows `at`; returns at once if it does already.
    pub async fn sleep_until(&self, at: Timestamp) {
        self.inner.sleep_until(at).await;
    }

    /// Waits for a span.
    pub async fn sleep(&self, span: Duration) {
        self.inner.sleep(span).await;
    }

    /// Waits for `future`, but no longer than `span`. A future that is ready at the deadline wins.
    pub async fn timeout<F: Future>(&self, span: Duration, future: F) -> Result<F::Output, Elapsed> {
        timeout::timeout(self.inner.sleep(span), future).await
    }

    /// Starts a task. Dropping the [`Task`] lets it run on by itself.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let (task, future) = Task::wrap(future);
        self.inner.spawn(name, future);
        task
    }

    /// Runs a future here, and sees it through: if this one is dropped before, it goes on as a task of its own.
    pub fn see_through<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> SeenThrough<T> {
        SeenThrough::new(self.clone(), name, Box::pin(future))
    }

    /// Starts a task that may block on I/O: on a thread of its own when real, an ordinary task when simulated.
    pub fn spawn_thread(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let (task, future) = Task::wrap(future);
        self.inner.spawn_thread(name, future);
        task
    }

    /// Fills `buf` with random bytes: from the operating system when real (fit for keys), from the seed when simulated.
    pub fn random_bytes(&self, buf: &mut [u8]) {
        self.inner.random_bytes(buf);
    }

    /// A random number, all 64 bits of it.
    pub fn random_u64(&self) -> u64 {
        let mut buf = [0; 8];
        self.random_bytes(&mut buf);
        u64::from_le_bytes(buf)
    }

    /// A random number below `bound`; 0 if `bound` is 0. The bias is below `bound` / 2^64.
    pub fn random_below(&self, bound: u64) -> u64 {
        ((u128::from(self.random_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A random UUID (RFC 9562, version 4) in lower-case hexadecimal with dashes.
    pub fn uuid_v4(&self) -> String {
        let mut b = [0; 16];
        self.random_bytes(&mut b);
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let digits =
            b.map(|byte| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        let digits = digits.as_flattened();
        let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        String::from_utf8(groups.join(&b'-')).expect("digits and dashes are ASCII")
    }

    /// Adds a record to the simulation's trace hash; nothing when real. Use it for decisions that must repeat
    /// under the same seed.
    pub fn trace(&self, record: impl AsRef<[u8]>) {
        self.inner.trace(record.as_ref());
    }

    /// Whether time and chance are simulated. For tests' own machinery; no rule may depend on it.
    pub fn is_simulated(&self) -> bool {
        self.inner.is_simulated()
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_simulated() { "Env(simulated)" } else { "Env(real)" })
    }
}
