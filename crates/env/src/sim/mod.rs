//! The simulated world: one thread, virtual time, and a seed that decides everything else.
//!
//! The same seed and the same program give the same [`Simulator::trace_hash`]. Time moves only when no task
//! can run, so a simulated day costs no more than the work in it.

mod environment;
mod executor;
mod rng;
mod trace;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apus_time::Timestamp;

use crate::Env;
use crate::hash::FixedSeeds;
use environment::SimEnvironment;
use executor::{MAIN_TASK, Next, Shared, TaskWaker};

pub use rng::Rng;

/// When simulated time begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Turns without the clock moving after which the program is held to spin.
pub const TURNS_MAX: u64 = 50_000_000;

/// A deterministic executor with virtual time.
pub struct Simulator {
    shared: Arc<Shared>,
    _fixed_seeds: FixedSeeds,
}

/// Why a simulation could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// No task can run and no timer is set; the names of the tasks that wait.
    Deadlock(Vec<&'static str>),
    /// Tasks kept running without time ever passing; the names of those still runnable.
    Spinning(Vec<&'static str>),
}

impl Simulator {
    /// A world in which `seed` decides the order of tasks and every random number.
    pub fn new(seed: u64) -> Self {
        Self { shared: Arc::new(Shared::new(seed)), _fixed_seeds: FixedSeeds::new() }
    }

    /// The handle to give to the code under test.
    pub fn env(&self) -> Env {
        Env::from_environment(Arc::new(SimEnvironment(self.shared.clone())))
    }

    /// Runs the world until `future` is done; other tasks stay where they are, for the next run.
    ///
    /// Panics if it gets stuck, naming the tasks that wait: see [`Self::try_run`].
    pub fn run<F: Future>(&mut self, future: F) -> F::Output {
        match self.try_run(future) {
            Ok(output) => output,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// As [`Self::run`], but says when no progress is possible.
    pub fn try_run<F: Future>(&mut self, future: F) -> Result<F::Output, Stuck> {
        let mut main = pin!(future);
        let waker = Waker::from(Arc::new(TaskWaker::new(MAIN_TASK, &self.shared)));
        self.shared.begin(MAIN_TASK);
        loop {
            match self.shared.next()? {
                Next::Main => {
                    if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        self.shared.end(MAIN_TASK);
                        return Ok(output);
                    }
                }
                Next::Task(id, mut future) => {
                    let waker = Waker::from(Arc::new(TaskWaker::new(id, &self.shared)));
                    match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Ready(()) => self.shared.end(id),
                        Poll::Pending => self.shared.put_back(id, future),
                    }
                }
            }
        }
    }

    /// Pulls the plug: drops every task where it stands. Time goes on from here, so that the program can be
    /// started again in the same world.
    pub fn crash(&mut self) {
        self.shared.trace_event("crash");
        loop {
            // Dropping a task may wake or start others, so it happens outside of the lock, until none is left.
            let tasks = self.shared.take_all();
            if tasks.is_empty() {
                break;
            }
            drop(tasks);
        }
    }

    /// Virtual time since the simulation began.
    pub fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// A digest of every scheduling decision and every [`Env::trace`] record so far.
    pub fn trace_hash(&self) -> u64 {
        self.shared.trace_hash()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Tasks hold handles on the world and the world holds the tasks: part them.
        self.crash();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock(names) => {
                write!(f, "deadlock: nothing can run and no timer is set; waiting: {}", names.join(", "))
            }
            Self::Spinning(names) => {
                write!(f, "no time passed in {TURNS_MAX} turns; running: {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for Stuck {}

#[cfg(test)]
mod tests;
