//! What is to be done when, for all queues of the instance: one index of due times, so that nothing ticks.
//!
//! ```text
//! instance "sqs" "schedule" when kind account region name → Task
//! ```
//!
//! Each queue has at most one entry to be looked after: expired messages go, what a FIFO queue remembers is
//! forgotten, a message move task goes on. What purges and deletions leave behind is emptied from here too.

use apus_kernel::{AccountId, Region};
use apus_store::{Direction, DueCursor, DueIndex, DueItem, Keyspace, Range, StoreError, Tx, decode, encode};
use apus_time::Timestamp;
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::{forget_deleted, generation, own};
use crate::queue_id::QueueId;

/// The most messages that are deleted at once by position.
const BODIES_MAX: u64 = 1_000;
/// The most rows of any other kind that are deleted at once.
const ROWS_MAX: usize = 1_000;

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Look after a queue.
    Tend(QueueId),
    /// Delete what a generation of a queue left behind; with the queue itself, if it is given up.
    Empty { id: QueueId, number: u64, generation: u32, whole: bool },
    /// The name may be used again.
    ForgetDeleted(QueueId),
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct TaskRecord {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: String,
    #[n(3)]
    number: u64,
    #[n(4)]
    generation: u32,
    #[n(5)]
    kind: u8,
}

impl TaskRecord {
    fn key(&self) -> (u8, &str, &str, &str, u64, u32) {
        (self.kind, &self.account, &self.region, &self.name, self.number, self.generation)
    }
}

const TEND: u8 = 0;
const EMPTY: u8 = 1;
const EMPTY_WHOLE: u8 = 2;
const FORGET_DELETED: u8 = 3;

/// The schedule of the instance.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(super) entries: DueIndex,
}

impl Schedule {
    pub(crate) fn new() -> Self {
        Self { entries: DueIndex::new(Keyspace::global("instance", "sqs").sub(("schedule",))) }
    }

    /// Moves the time at which a queue is looked after.
    pub(crate) fn tend(&self, tx: &Tx, id: &QueueId, before: Option<Timestamp>, after: Option<Timestamp>) {
        let task = Task::Tend(id.clone());
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.done(tx, before, &task);
        }
        if let Some(after) = after {
            self.put(tx, after, &task);
        }
    }

    pub(crate) fn put(&self, tx: &Tx, at: Timestamp, task: &Task) {
        self.entries.put(tx, at, record(task).key(), encoded(task));
    }

    pub(crate) fn done(&self, tx: &Tx, at: Timestamp, task: &Task) {
        self.entries.delete(tx, at, record(task).key());
    }

    /// Whether it is to be done at that time.
    pub(super) async fn has(&self, tx: &Tx, at: Timestamp, task: &Task) -> Result<bool, StoreError> {
        self.entries.contains(tx, at, record(task).key()).await
    }

    /// Whether an entry lies where its task has it.
    pub(super) fn is_in_place(&self, item: &DueItem, task: &Task) -> Result<bool, StoreError> {
        let (kind, account, region, name, number, generation) =
            self.entries.item::<(u8, String, String, String, u64, u32)>(item)?;
        let lies = (kind, account.as_str(), region.as_str(), name.as_str(), number, generation);
        Ok(record(task).key() == lies)
    }

    /// Up to so many tasks that are due, each with its time; and when the next is.
    pub(crate) async fn due(
        &self,
        tx: &Tx,
        limit: usize,
    ) -> Result<(Vec<(Timestamp, Task)>, Option<Timestamp>), StoreError> {
        let mut fresh = DueCursor::default();
        let items = self.entries.due(tx, tx.now(), limit, &mut fresh).await?;
        let tasks =
            items.iter().map(|item| Ok((item.due, read(item)?))).collect::<Result<Vec<_>, StoreError>>()?;
        let next = self.entries.next_due(tx, DueCursor::default()).await?;
        Ok((tasks, next))
    }
}

pub(super) fn encoded(task: &Task) -> Bytes {
    encode(&record(task))
}

fn record(task: &Task) -> TaskRecord {
    let (kind, id, number, generation) = match task {
        Task::Tend(id) => (TEND, id, 0, 0),
        Task::Empty { id, number, generation, whole: false } => (EMPTY, id, *number, *generation),
        Task::Empty { id, number, generation, whole: true } => (EMPTY_WHOLE, id, *number, *generation),
        Task::ForgetDeleted(id) => (FORGET_DELETED, id, 0, 0),
    };
    TaskRecord {
        account: id.account.to_string(),
        region: id.region.to_string(),
        name: id.name.to_string(),
        number,
        generation,
        kind,
    }
}

pub(super) fn read(item: &DueItem) -> Result<Task, StoreError> {
    let record: TaskRecord = decode(&item.key, &item.value)?;
    let corrupt =
        || StoreError::Corrupt { place: format!("{:?}", item.key), detail: "it names no queue".into() };
    let account: AccountId = record.account.parse().map_err(|_| corrupt())?;
    let region: Region = record.region.parse().map_err(|_| corrupt())?;
    let id = QueueId { account, region, name: record.name.parse().map_err(|_| corrupt())? };
    Ok(match record.kind {
        TEND => Task::Tend(id),
        FORGET_DELETED => Task::ForgetDeleted(id),
        kind => Task::Empty {
            id,
            number: record.number,
            generation: record.generation,
            whole: kind == EMPTY_WHOLE,
        },
    })
}

/// Does some of a task that is no lane's: deletes what is left behind. Whether it is done.
pub(crate) async fn empty_some(tx: &Tx, task: &Task) -> Result<bool, StoreError> {
    match task {
        Task::Tend(_) => Ok(true),
        Task::ForgetDeleted(id) => {
            forget_deleted(tx, id).await?;
            Ok(true)
        }
        Task::Empty { id, number, generation: which, whole } => {
            let messages = generation(id, *number, *which);
            let bodies = messages.sub(("body",));
            // By position, so that nobody holds a thousand bodies in memory.
            if let Some((first, _)) = tx.range(&bodies.all(), 1, Direction::Forward).await?.into_iter().next()
            {
                let (position,) = bodies.unpack::<(u64,)>(&first)?;
                tx.delete_range(&Range::between(&first, &bodies.key((position + BODIES_MAX,))));
                return Ok(false);
            }
            if delete_rows(tx, &messages.all()).await? {
                return Ok(false);
            }
            Ok(!*whole || !delete_rows(tx, &own(id, *number).all()).await?)
        }
    }
}

/// Deletes the first rows of a range; whether there were any.
async fn delete_rows(tx: &Tx, range: &Range) -> Result<bool, StoreError> {
    let rows = tx.range(range, ROWS_MAX, Direction::Forward).await?;
    for (key, _) in &rows {
        tx.delete(key);
    }
    Ok(!rows.is_empty())
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;
    use apus_store::Store;

    use super::*;
    use crate::queue::NAME_RESTS;
    use crate::store::{DeletedRecord, deleted, deleted_at};

    /// Whether a name still rests once the schedule has come to it, so long after its queue was deleted.
    fn rests_after(passed: std::time::Duration) -> bool {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        simulator.run(async {
            let store = Store::memory(&env);
            let id = QueueId::from_arn("arn:aws:sqs:us-east-1:000000000000:jobs").expect("a queue");
            let rests = store.transact(|tx| {
                let id = id.clone();
                async move {
                    let at_micros = tx.now().as_micros() - passed.as_micros() as i64;
                    deleted(&id).put(&tx, (id.name.as_str(),), &DeletedRecord { at_micros });
                    assert!(empty_some(&tx, &Task::ForgetDeleted(id.clone())).await?);
                    Ok::<_, StoreError>(deleted_at(&tx, &id).await?.is_some())
                }
            });
            rests.await.expect("it is done")
        })
    }

    #[test]
    fn an_entry_of_an_earlier_deletion_leaves_a_later_one_its_rest() {
        assert!(!rests_after(NAME_RESTS));
        assert!(rests_after(std::time::Duration::from_secs(59)));
    }
}
