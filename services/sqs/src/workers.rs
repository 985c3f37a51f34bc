//! The schedule's worker: sleeps until something is due, has lanes look after their queues, and deletes what purges and
//! deletions have left behind.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::Platform;
use apus_time::Timestamp;
use tracing::warn;

use crate::Sqs;
use crate::errors::JobError;
use crate::store::{Schedule, Task, empty_some};

/// The most tasks that are read at once.
const TASKS_MAX: usize = 100;
/// How long the worker rests after a failure.
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn keep_schedule(sqs: Arc<Sqs>, _platform: Platform) {
    loop {
        if let Err(error) = sqs.do_what_is_due().await {
            warn!(?error, "the schedule of SQS rests");
            sqs.env.sleep(REST).await;
        }
    }
}

impl Sqs {
    /// Does what is due; where nothing is, waits until something may be.
    async fn do_what_is_due(&self) -> Result<(), JobError> {
        let schedule = Schedule::new();
        let (tasks, next) = self
            .store
            .read(|tx| {
                let schedule = schedule.clone();
                async move { Ok::<_, JobError>(schedule.due(&tx, TASKS_MAX).await?) }
            })
            .await?;
        if tasks.is_empty() {
            let next = next.unwrap_or(Timestamp::MAX);
            tokio::select! {
                biased;
                () = self.env.sleep_until(next) => {}
                () = self.lanes.schedule_changed().notified() => {}
            }
            return Ok(());
        }
        for (at, task) in tasks {
            self.do_task(&schedule, at, &task).await?;
        }
        Ok(())
    }

    async fn do_task(&self, schedule: &Schedule, at: Timestamp, task: &Task) -> Result<(), JobError> {
        if let Task::Tend(id) = task {
            match self.lanes.tend(id.clone()).await {
                // The queue is gone, and its entry goes.
                Err(JobError::NoQueue) => {}
                other => return other,
            }
        }
        self.store
            .transact(|tx| async move {
                self.lease.fence(&tx).await?;
                if empty_some(&tx, task).await? {
                    schedule.done(&tx, at, task);
                }
                Ok(())
            })
            .await
    }
}
