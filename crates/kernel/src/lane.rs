//! Lanes: all changes to one hot entity (a queue, a FIFO group, a shard) run one batch after another.
//!
//! Jobs of one key wait in memory while the batch before them is being committed, and then share one
//! transaction. So a hundred consumers of one queue never abort each other, and the busier a lane is, the
//! larger its batches grow. A lane exists only while it has work.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::{Env, HashMap};
use tokio::sync::oneshot;

use crate::access::BoxFuture;

/// The most jobs that one step takes.
pub(crate) const BATCH_MAX: usize = 256;
/// The most jobs that wait in one lane; more are refused, so that a stuck disk is felt by its callers.
pub(crate) const WAITING_MAX: usize = 20_000;

/// The lanes of one kind of entity. Clones are handles to the same lanes.
pub struct Lanes<K, J> {
    inner: Arc<Inner<K, J>>,
}

type Step<K, J> = Box<dyn Fn(Lanes<K, J>, K, Vec<J>) -> BoxFuture<'static, ()> + Send + Sync>;

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
    /// Lanes whose every batch is done by `step`, which answers each job itself. It is passed the lanes, for
    /// jobs that follow from these.
    pub fn new<F>(
        env: Env,
        name: &'static str,
        step: impl Fn(Self, K, Vec<J>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let step =
            Box::new(move |lanes, key, jobs| Box::pin(step(lanes, key, jobs)) as BoxFuture<'static, ()>);
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
        let key = match lanes.entry(key) {
            Entry::Occupied(waiting) if waiting.get().len() >= WAITING_MAX => return Err(LaneError::Full),
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(job);
                return Ok(());
            }
            Entry::Vacant(place) => {
                let key = place.key().clone();
                place.insert(VecDeque::from([job]));
                key
            }
        };
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
            let lanes = Lanes { inner: Arc::clone(&self.inner) };
            (self.inner.step)(lanes, self.key.clone(), batch).await;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use apus_env::sim::Simulator;

    use super::*;

    /// A job that asks for the number of its batch.
    type Job = oneshot::Sender<usize>;

    fn counting_lanes(env: &Env, most_at_once: &Arc<Mutex<usize>>) -> Lanes<u8, Job> {
        let (inner, most, batches) = (env.clone(), Arc::clone(most_at_once), Arc::new(Mutex::new((0, 0))));
        Lanes::new(env.clone(), "lane", move |_lanes, _key, jobs: Vec<Job>| {
            let (env, most, batches) = (inner.clone(), Arc::clone(&most), Arc::clone(&batches));
            async move {
                let number = {
                    let mut batches = batches.lock().expect("no step panics here");
                    batches.0 += 1;
                    batches.1 += 1;
                    let mut most = most.lock().expect("no step panics here");
                    *most = (*most).max(batches.1);
                    batches.0
                };
                env.sleep(Duration::from_millis(1)).await;
                batches.lock().expect("no step panics here").1 -= 1;
                for job in jobs {
                    let _ = job.send(number);
                }
            }
        })
    }

    #[test]
    fn batches_of_one_lane_follow_each_other_and_grow_while_one_is_under_way() {
        for seed in 0..50 {
            let mut simulator = Simulator::new(seed);
            let env = simulator.env();
            let most_at_once = Arc::default();
            let lanes = counting_lanes(&env, &most_at_once);
            let batches = simulator.run(async {
                let mut last = 0;
                let calls: Vec<_> = (0..1_000).map(|_| lanes.call(1, |reply| reply)).collect();
                for answer in futures_util::future::join_all(calls).await {
                    last = last.max(answer.expect("every job is answered"));
                }
                last
            });
            assert_eq!(*most_at_once.lock().expect("unpoisoned"), 1, "seed {seed}");
            assert!((4..=6).contains(&batches), "seed {seed}: 1,000 jobs took {batches} batches");
            assert!(lanes.inner.lanes().is_empty(), "an idle lane goes away");
        }
    }

    #[test]
    fn lanes_of_different_keys_run_beside_each_other() {
        let mut simulator = Simulator::new(7);
        let env = simulator.env();
        let most_at_once = Arc::default();
        let lanes = counting_lanes(&env, &most_at_once);
        simulator.run(async {
            let calls = (0..10).map(|key| lanes.call(key, |reply| reply));
            futures_util::future::join_all(calls).await;
        });
        assert_eq!(*most_at_once.lock().expect("unpoisoned"), 10);
    }

    #[test]
    fn a_full_lane_refuses_and_the_rest_is_still_done() {
        let mut simulator = Simulator::new(1);
        let lanes = counting_lanes(&simulator.env(), &Arc::default());
        let (answered, refused) = simulator.run(async {
            let calls: Vec<_> = (0..WAITING_MAX + 300).map(|_| lanes.call(1, |reply| reply)).collect();
            let answers = futures_util::future::join_all(calls).await;
            let refused = answers.iter().filter(|answer| **answer == Err(LaneError::Full)).count();
            (answers.iter().filter(|answer| answer.is_ok()).count(), refused)
        });
        assert_eq!(answered + refused, WAITING_MAX + 300);
        assert!(refused > 0 && answered >= WAITING_MAX);
    }

    #[test]
    fn a_lane_that_breaks_off_tells_those_who_wait_and_starts_anew() {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        let lanes: Lanes<u8, oneshot::Sender<bool>> = Lanes::new(
            env.clone(),
            "lane",
            move |_lanes, _key, jobs: Vec<oneshot::Sender<bool>>| async move {
                for job in jobs {
                    let _ = job.send(true);
                }
            },
        );
        // What is left of a runner whose step panicked: its key, a waiting job, and then its drop.
        let (reply, mut waiting) = oneshot::channel();
        lanes.inner.lanes().insert(1, VecDeque::from([reply]));
        drop(Runner { inner: Arc::clone(&lanes.inner), key: 1, ended: false });
        assert!(waiting.try_recv().is_err(), "the job that waited is answered by its sender's end");
        assert_eq!(simulator.run(lanes.call(1, |reply| reply)), Ok(true));
    }
}
