//! A few threads that may wait for the disk, so that those that serve requests need not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use apus_env::Env;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::disk::Disk;
use crate::error::StoreError;

/// Threads that a pool starts at most; it starts one when it is first needed, and more while all are busy.
const THREADS_MAX: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Pool {
    env: Env,
    /// A simulated disk, which says how long it takes.
    slow: Option<Arc<dyn Disk>>,
    jobs: mpsc::UnboundedSender<Job>,
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>,
    started: AtomicUsize,
    waiting: Arc<AtomicUsize>,
}

impl Pool {
    pub(super) fn new(env: Env, slow: Option<Arc<dyn Disk>>) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (started, waiting) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        Self { env, slow, jobs, queue: Arc::new(Mutex::new(queue)), started, waiting }
    }

    /// Runs a job on one of the threads. Whoever waits for it is what bounds the queue.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            let _ = done.send(job());
        });
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.started.load(Ordering::SeqCst) {
            self.start_thread();
        }
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)
    }

    fn start_thread(&self) {
        let more = |started| (started < THREADS_MAX).then_some(started + 1);
        if self.started.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
            return;
        }
        let (env, slow) = (self.env.clone(), self.slow.clone());
        let (queue, waiting) = (self.queue.clone(), self.waiting.clone());
        // Ends when the pool is dropped and its queue empty.
        let _detached = self.env.spawn_thread("store-blobs", async move {
            loop {
                let job = queue.lock().await.recv().await;
                let Some(job) = job else { return };
                if let Some(latency) = slow.as_ref().and_then(|disk| disk.latency()) {
                    env.sleep(latency).await;
                }
                job();
                waiting.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
}
