//! Lanes: all changes to one hot entity (a queue, a FIFO group, a shard) run one batch after another.
//!
//! Jobs of one key wait in memory while the batch before them is being committed, and then share one
//! transaction. So a hundred consumers of one queue never abort each other, and the busier a lane is, the
//! larger its batches grow. A lane exists only while it has work.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::{Env, HashMap};
use tokio::sync::oneshot;

use crate::access::BoxFuture;

/// The most jobs that one step takes.
pub const BATCH_MAX: usize = 256;
/// The most jobs that wait in one lane; more are refused, so that a stuck disk is felt by its callers.
pub const WAITING_MAX: usize = 20_000;

/// The lanes of one kind of entity. Clones are handles to the same lanes.
pub struct Lanes<K, J> {
    inner: Arc<Inner<K, J>>,
}

type Step<K, J> = Box<dyn Fn(K, Vec<J>) -> BoxFuture<'static, ()> + Send + Sync>;

struct Inner<K, J> {
    env: Env,
    name: &'static str,
    step: Step<K, J>,
    /// A key is present while its runner lives.
    waiting: Mutex<HashMap<K, VecDeque<J>>>,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneError {
    /// Too many jobs wait already.
    Full,
    /// The step ended without answering: it panicked, or the platform is stopping.
    Gone,
}

impl fmt::Display for LaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "more than {WAITING_MAX} jobs wait in the lane"),
            Self::Gone => write!(f, "the lane ended without an answer"),
        }
    }
}

impl std::error::Error for LaneError {}

impl<K, J> Clone for Lanes<K, J> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, J> Lanes<K, J>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    J: Send + 'static,
{
    /// Lanes whose every batch is done by `step`, which answers each job itself.
    pub fn new<F>(
        env: Env,
        name: &'static str,
        step: impl Fn(K, Vec<J>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let step = Box::new(move |key, jobs| Box::pin(step(key, jobs)) as BoxFuture<'static, ()>);
        Self { inner: Arc::new(Inner { env, name, step, waiting: Mutex::default() }) }
    }

    /// Puts a job into its lane and waits for the answer that the step sends.
    pub async fn call<R>(&self, key: K, job: impl FnOnce(oneshot::Sender<R>) -> J) -> Result<R, LaneError> {
        let (reply, answer) = oneshot::channel();
        self.submit(key, job(reply))?;
        answer.await.map_err(|_| LaneError::Gone)
    }

    /// Puts a job into its lane.
    pub fn submit(&self, key: K, job: J) -> Result<(), LaneError> {
        let mut lanes = self.inner.lanes();
        if let Some(waiting) = lanes.get_mut(&key) {
            if waiting.len() >= WAITING_MAX {
                return Err(LaneError::Full);
            }
            waiting.push_back(job);
            return Ok(());
        }
        lanes.insert(key.clone(), VecDeque::from([job]));
        drop(lanes);
        let runner = Runner { inner: Arc::clone(&self.inner), key, ended: false };
        self.inner.env.spawn(self.inner.name, runner.run());
        Ok(())
    }
}

impl<K, J> Inner<K, J> {
    fn lanes(&self) -> MutexGuard<'_, HashMap<K, VecDeque<J>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lane's task. However it ends, its key goes with it: the jobs that still wait learn that it is gone.
struct Runner<K: Eq + Hash, J> {
    inner: Arc<Inner<K, J>>,
    key: K,
    ended: bool,
}

impl<K: Clone + Eq + Hash, J> Runner<K, J> {
    async fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            (self.inner.step)(self.key.clone(), batch).await;
        }
        self.ended = true;
    }

    /// The jobs that wait; nothing, and no more lane, if there are none.
    fn next_batch(&self) -> Option<Vec<J>> {
        let mut lanes = self.inner.lanes();
        let waiting = lanes.get_mut(&self.key)?;
        if waiting.is_empty() {
            lanes.remove(&self.key);
            return None;
        }
        let count = waiting.len().min(BATCH_MAX);
        Some(waiting.drain(..count).collect())
    }
}

impl<K: Eq + Hash, J> Drop for Runner<K, J> {
    fn drop(&mut self) {
        // After a clean end another runner may hold the key: only a broken-off one leaves jobs behind.
        if !self.ended {
            self.inner.lanes().remove(&self.key);
        }
    }
}
