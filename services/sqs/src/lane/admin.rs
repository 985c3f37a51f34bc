//! What is done to a queue as a whole, each in a transaction of its own.

use std::sync::Arc;

use apus_store::Tx;

use super::Answer;
use super::memory::Known;
use super::step::{Inner, answer_all};
use crate::errors::JobError;
use crate::queue::{Change, Command, NAME_RESTS, decide};
use crate::queue_id::QueueId;
use crate::store::{self, Cursors, Messages, MoveRecord, MoveStatus, Moves, QueueRecord, Schedule, Task};

/// What is to become of a queue's message move tasks.
#[derive(Clone, Debug)]
pub(crate) enum MoveCommand {
    Start {
        id: String,
        destination: Option<String>,
        per_second_max: Option<u32>,
    },
    /// The task of that id.
    Cancel(String),
}

/// What the lane knows after a change.
enum Now {
    Same,
    Changed(QueueRecord),
    Emptied(QueueRecord),
    Gone,
}

impl Inner {
    pub(super) async fn command(&self, id: &QueueId, command: Command, reply: Answer<()>) {
        let attempt = |tx| self.try_command(id, &command, tx);
        let answer = match self.store.transact(attempt).await {
            Ok(now) => {
                self.schedule_changed.notify_one();
                let cursors = self.memory.get(id).map(|known| known.cursors).unwrap_or_default();
                match now {
                    Now::Same => {}
                    Now::Changed(queue) => self.memory.keep(id, Known { queue: Arc::new(queue), cursors }),
                    Now::Emptied(queue) => {
                        let cursors = Cursors::default();
                        self.memory.keep(id, Known { queue: Arc::new(queue), cursors });
                    }
                    Now::Gone => {
                        self.memory.forget(id);
                        let waiting = self.parked.take(id).into_iter().map(|receiver| receiver.reply);
                        answer_all(waiting, &Err(JobError::NoQueue));
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.memory.forget(id);
                Err(error)
            }
        };
        let _gone = reply.send(answer);
    }

    async fn try_command(&self, id: &QueueId, command: &Command, tx: Tx) -> Result<Now, JobError> {
        self.lease.fence(&tx).await?;
        let queue = store::queue(&tx, id).await?;
        let deleted_at = store::deleted_at(&tx, id).await?;
        let change = decide(command, id, queue.as_ref(), deleted_at, tx.now())?;
        let schedule = Schedule::new();
        Ok(match (change, queue) {
            (Change::Keep, _) | (Change::Delete | Change::Empty(_), None) => Now::Same,
            (Change::Put(record), before) => {
                store::put_queue(&tx, id, before.as_ref(), &record);
                let shortened = before.as_ref().is_some_and(|before| {
                    before.attributes.retention_secs != record.attributes.retention_secs
                });
                if shortened {
                    let mut messages = Messages::load(&tx, id, &record, Cursors::default()).await?;
                    messages.need_upkeep(&tx, tx.now());
                    messages.save(&tx);
                }
                Now::Changed(record)
            }
            (Change::Empty(record), Some(before)) => {
                let mut messages = Messages::load(&tx, id, &before, Cursors::default()).await?;
                messages.forget_all();
                messages.save(&tx);
                schedule.put(&tx, tx.now(), &left_behind(id, &before, false));
                store::put_queue(&tx, id, Some(&before), &record);
                Now::Emptied(record)
            }
            (Change::Delete, Some(before)) => {
                let mut messages = Messages::load(&tx, id, &before, Cursors::default()).await?;
                messages.plan_upkeep(&tx, None);
                schedule.put(&tx, tx.now(), &left_behind(id, &before, true));
                schedule.put(&tx, tx.now() + NAME_RESTS, &Task::ForgetDeleted(id.clone()));
                store::delete_queue(&tx, id, &before, tx.now());
                Now::Gone
            }
        })
    }

    pub(super) async fn move_messages(&self, id: &QueueId, command: MoveCommand, reply: Answer<u64>) {
        let attempt = |tx| self.try_move(id, &command, tx);
        let answer = self.store.transact(attempt).await;
        self.schedule_changed.notify_one();
        let _gone = reply.send(answer);
    }

    async fn try_move(&self, id: &QueueId, command: &MoveCommand, tx: Tx) -> Result<u64, JobError> {
        self.lease.fence(&tx).await?;
        let queue = store::queue(&tx, id).await?.ok_or(JobError::NoQueue)?;
        let moves = Moves::of(id, &queue);
        let running = moves.running(&tx).await?;
        match command {
            MoveCommand::Start { id: task_id, destination, per_second_max } => {
                if running.is_some() {
                    return Err(JobError::MoveRunning);
                }
                let mut messages = Messages::load(&tx, id, &queue, Cursors::default()).await?;
                let task = MoveRecord {
                    id: task_id.clone(),
                    destination: destination.clone(),
                    per_second_max: *per_second_max,
                    started_at_micros: tx.now().as_micros(),
                    status: MoveStatus::Running,
                    moved: 0,
                    to_move: messages.counts().ready,
                    failure: None,
                    resumes_at_micros: tx.now().as_micros(),
                };
                moves.begin(&tx, &task).await?;
                messages.need_upkeep(&tx, tx.now());
                messages.save(&tx);
                Ok(0)
            }
            MoveCommand::Cancel(task_id) => {
                if let Some((number, task)) = running.filter(|(_, task)| task.id == *task_id) {
                    let task = MoveRecord { status: MoveStatus::Cancelled, ..task };
                    moves.put(&tx, number, &task);
                    return Ok(task.moved);
                }
                let known = moves.list(&tx).await?.iter().any(|(_, task)| task.id == *task_id);
                Err(if known { JobError::MoveNotRunning } else { JobError::NoMove })
            }
        }
    }
}

fn left_behind(id: &QueueId, queue: &QueueRecord, whole: bool) -> Task {
    let (number, generation) = (queue.number, queue.generation);
    Task::Empty { id: id.clone(), number, generation, whole }
}
