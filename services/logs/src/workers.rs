//! The schedule's worker: sleeps until something is due, and deletes what retention, and groups and streams that are
//! gone, have left.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::Platform;
use apus_store::{DueItem, Tx, Watch};
use apus_time::Timestamp;
use tracing::warn;

use crate::errors::Refusal;
use crate::names::GroupId;
use crate::store::{self, Group, Schedule, Task};
use crate::{Logs, retention};

/// The most tasks that are read at once.
const TASKS_MAX: usize = 100;
/// The most rows that one transaction deletes: a row may be a whole block.
const ROWS_MAX: usize = 200;
/// How often a group's retention is looked after, at most. What has passed is not read, deleted or not.
const RETAIN_EVERY: Duration = Duration::from_hours(1);
/// How long the worker rests after a failure.
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn keep_schedule(logs: Arc<Logs>, _platform: Platform) {
    let mut changes = logs.store.watch(Schedule::new().prefix());
    loop {
        if let Err(error) = logs.do_what_is_due(&mut changes).await {
            warn!(?error, "the schedule of CloudWatch Logs rests");
            logs.env.sleep(REST).await;
        }
    }
}

impl Logs {
    /// Does what is due; where nothing is, waits until something may be.
    async fn do_what_is_due(&self, changes: &mut Watch) -> Result<(), Refusal> {
        let read = |tx: Tx| async move { Ok::<_, Refusal>(Schedule::new().due(&tx, TASKS_MAX).await?) };
        let (tasks, next) = self.store.read(read).await?;
        if tasks.is_empty() {
            tokio::select! {
                () = self.env.sleep_until(next.unwrap_or(Timestamp::MAX)) => {}
                () = changes.changed() => {}
            }
            return Ok(());
        }
        for (item, task) in tasks {
            let nonce = self.env.random_u64();
            let (item, task) = (&item, &task);
            self.change(|tx| async move { step(&tx, item, task, nonce).await }).await?;
        }
        Ok(())
    }
}

/// A bounded step of a task; the task stays where more is to be done.
async fn step(tx: &Tx, item: &DueItem, task: &Task, nonce: u64) -> Result<(), Refusal> {
    let done = match task {
        Task::ClearGroup { account, region, number } => {
            Group::new(*account, region, *number).clear_some(tx, ROWS_MAX).await?
        }
        Task::ClearStream { account, region, number, stream } => {
            store::stream_blocks(tx, &Group::new(*account, region, *number), *stream, ROWS_MAX).await?
        }
        Task::Retain(id) => retain(tx, id, item.due, nonce).await?,
    };
    if done {
        Schedule::new().done(tx, item);
    }
    Ok(())
}

/// Deletes what has passed, and plans the next look.
async fn retain(tx: &Tx, id: &GroupId, due: Timestamp, nonce: u64) -> Result<bool, Refusal> {
    let Some(mut record) = store::group(tx, id).await? else { return Ok(true) };
    let Some(days) = record.retention_days.filter(|_| record.tended_at_micros == Some(due.as_micros()))
    else {
        return Ok(true);
    };
    let group = Group::of(id, &record);
    if store::delete_blocks(tx, &group, retention::kept_from_ms(&record, tx.now()), ROWS_MAX).await? {
        return Ok(false);
    }
    let earliest = tx.now() + RETAIN_EVERY;
    let next = match store::first_block(tx, &group).await? {
        Some(last_ms) => earliest.max(Timestamp::from_millis(last_ms + 1) + retention::duration(days)),
        // An event that comes now may be as old as the retention allows, so a look is never far away.
        None => earliest,
    };
    record.tended_at_micros = Some(next.as_micros());
    store::put_group(tx, id, &record);
    Schedule::new().put(tx, next, nonce, &Task::Retain(id.clone()));
    Ok(true)
}
