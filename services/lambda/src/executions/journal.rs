//! Executions that are written behind: noted in memory, written in batches.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_kernel::Platform;
use apus_store::{Store, StoreError, Tx};
use tokio::sync::Notify;
use tracing::warn;

use crate::Lambda;
use crate::store::execution::{self, ExecutionRecord};

/// Executions that are kept; with one more, the oldest goes.
pub(crate) const KEPT_MAX: u64 = 10_000;
/// How long an execution is kept.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// Executions that wait to be written; with one more, the oldest of them is lost.
const WAITING_MAX: usize = 2_048;
/// How long executions are gathered before they are written.
const GATHER: Duration = Duration::from_millis(200);
/// The most executions of one write.
const BATCH_MAX: usize = 256;
/// The most executions that go with one write: more than come, so that the bound is reached again.
const TRIM_MAX: usize = 2 * BATCH_MAX;

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Journal {
    waiting: Mutex<Waiting>,
    noted: Notify,
}

#[derive(Default)]
struct Waiting {
    executions: VecDeque<ExecutionRecord>,
    lost: u64,
}

impl Journal {
    /// Notes an execution. Never waits.
    pub(crate) fn note(&self, execution: ExecutionRecord) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.executions.len() >= WAITING_MAX {
            waiting.executions.pop_front();
            waiting.lost += 1;
        }
        waiting.executions.push_back(execution);
        drop(waiting);
        self.noted.notify_one();
    }

    /// Older executions can go.
    pub(crate) fn stir(&self) {
        self.noted.notify_one();
    }

    fn take(&self) -> (Vec<ExecutionRecord>, u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.executions.len().min(BATCH_MAX);
        (waiting.executions.drain(..count).collect(), mem::take(&mut waiting.lost))
    }
}

/// Writes what is noted, for as long as the platform runs.
pub(crate) async fn write(lambda: Arc<Lambda>, platform: Platform) {
    let journal = &lambda.journal;
    loop {
        journal.noted.notified().await;
        platform.env().sleep(GATHER).await;
        loop {
            let (batch, lost) = journal.take();
            if lost > 0 {
                warn!(lost, "executions came faster than they could be written; these have no record");
            }
            let full = batch.len() == BATCH_MAX;
            if let Err(error) = write_batch(&lambda.store, &batch).await {
                warn!(%error, lost = batch.len(), "executions could not be written; these have no record");
            }
            if !full {
                break;
            }
        }
    }
}

async fn write_batch(store: &Store, batch: &[ExecutionRecord]) -> Result<(), StoreError> {
    let transact = |tx: Tx| async move {
        for execution in batch {
            execution::put(&tx, execution);
        }
        Ok::<_, StoreError>(())
    };
    if !batch.is_empty() {
        store.transact(transact).await?;
    }
    loop {
        let kept = store.read(|tx| async move { execution::kept(&tx).await }).await?;
        let beyond = kept.saturating_sub(KEPT_MAX);
        let trim = |tx: Tx| async move { execution::trim(&tx, beyond, tx.now() - RETENTION, TRIM_MAX).await };
        if store.transact(trim).await? < TRIM_MAX {
            return Ok(());
        }
    }
}
