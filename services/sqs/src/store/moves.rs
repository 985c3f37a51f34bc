//! A queue's message move tasks: the one under way, and the last ones.
//!
//! ```text
//! own "move" number → MoveRecord
//! ```

use apus_store::{Direction, StoreError, Table, Tx, decode};
use minicbor::{Decode, Encode};

use super::{QueueRecord, own};
use crate::queue_id::QueueId;

/// How many tasks of a queue are kept.
pub(crate) const TASKS_MAX: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MoveRecord {
    #[n(0)]
    pub(crate) id: String,
    /// By resource name; nothing means each message's own source.
    #[n(1)]
    pub(crate) destination: Option<String>,
    #[n(2)]
    pub(crate) per_second_max: Option<u32>,
    #[n(3)]
    pub(crate) started_at_micros: i64,
    #[n(4)]
    pub(crate) status: MoveStatus,
    #[n(5)]
    pub(crate) moved: u64,
    /// How many there were when it began: it moves no more than these.
    #[n(6)]
    pub(crate) to_move: u64,
    #[n(7)]
    pub(crate) failure: Option<String>,
    /// When it goes on, at its rate.
    #[n(8)]
    pub(crate) resumes_at_micros: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum MoveStatus {
    #[n(0)]
    Running,
    #[n(1)]
    Completed,
    #[n(2)]
    Cancelled,
    #[n(3)]
    Failed,
}

impl MoveStatus {
    /// AWS's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Moves {
    tasks: Table<MoveRecord>,
}

impl Moves {
    pub(crate) fn of(id: &QueueId, queue: &QueueRecord) -> Self {
        Self { tasks: Table::new(own(id, queue.number).sub(("move",))) }
    }

    /// The tasks, the last first, each with its number.
    pub(crate) async fn list(&self, tx: &Tx) -> Result<Vec<(u64, MoveRecord)>, StoreError> {
        let rows = tx.range(&self.tasks.range(()), TASKS_MAX + 1, Direction::Backward).await?;
        let task = |(key, bytes): (apus_store::Key, bytes::Bytes)| {
            let (number,) = self.tasks.space().unpack::<(u64,)>(&key)?;
            Ok((number, decode(&key, &bytes)?))
        };
        rows.into_iter().map(task).collect()
    }

    /// The task under way.
    pub(crate) async fn running(&self, tx: &Tx) -> Result<Option<(u64, MoveRecord)>, StoreError> {
        // Only the last can be under way.
        Ok(self.list(tx).await?.into_iter().next().filter(|(_, task)| task.status == MoveStatus::Running))
    }

    /// Begins a task, and forgets the oldest where there are too many.
    pub(crate) async fn begin(&self, tx: &Tx, task: &MoveRecord) -> Result<(), StoreError> {
        let before = self.list(tx).await?;
        for (number, _) in before.iter().skip(TASKS_MAX - 1) {
            self.tasks.delete(tx, (*number,));
        }
        let number = before.first().map_or(0, |(number, _)| number + 1);
        self.put(tx, number, task);
        Ok(())
    }

    pub(crate) fn put(&self, tx: &Tx, number: u64, task: &MoveRecord) {
        self.tasks.put(tx, (number,), task);
    }
}
