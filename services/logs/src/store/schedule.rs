//! What is to be done when, for all groups of the instance: one index of due times, so that nothing ticks.
//!
//! ```text
//! instance "logs" "schedule" when nonce → Task
//! ```

use apus_kernel::{AccountId, Region};
use apus_store::{DueCursor, DueIndex, DueItem, Key, Keyspace, StoreError, Tx, decode, encode};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::names::GroupId;

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Delete what a group's retention has passed, if its record still names this time.
    Retain(GroupId),
    /// Delete what a group that is gone has left behind.
    ClearGroup { account: AccountId, region: Region, number: u64 },
    /// Delete what a stream that is gone has left behind.
    ClearStream { account: AccountId, region: Region, number: u64, stream: u64 },
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct TaskRecord {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: Option<String>,
    #[n(3)]
    number: Option<u64>,
    #[n(4)]
    stream: Option<u64>,
}

/// The schedule of the instance.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    entries: DueIndex,
    space: Keyspace,
}

impl Schedule {
    pub(crate) fn new() -> Self {
        let space = Keyspace::global("instance", "logs").sub(("schedule",));
        Self { entries: DueIndex::new(space.clone()), space }
    }

    /// What changes whenever the schedule does.
    pub(crate) fn prefix(&self) -> &Key {
        self.space.prefix()
    }

    /// Adds a task; `nonce` tells those of one time apart.
    pub(crate) fn put(&self, tx: &Tx, at: Timestamp, nonce: u64, task: &Task) {
        let (account, region) = match task {
            Task::Retain(GroupId { account, region, .. })
            | Task::ClearGroup { account, region, .. }
            | Task::ClearStream { account, region, .. } => (account.to_string(), region.to_string()),
        };
        let (name, number, stream) = match task {
            Task::Retain(id) => (Some(id.name.clone()), None, None),
            Task::ClearGroup { number, .. } => (None, Some(*number), None),
            Task::ClearStream { number, stream, .. } => (None, Some(*number), Some(*stream)),
        };
        self.entries.put(tx, at, (nonce,), encode(&TaskRecord { account, region, name, number, stream }));
    }

    /// Up to `limit` tasks that are due, and when the next is.
    pub(crate) async fn due(
        &self,
        tx: &Tx,
        limit: usize,
    ) -> Result<(Vec<(DueItem, Task)>, Option<Timestamp>), StoreError> {
        let items = self.entries.due(tx, tx.now(), limit, &mut DueCursor::default()).await?;
        let next = self.entries.next_due(tx, DueCursor::default()).await?;
        let mut tasks = Vec::with_capacity(items.len());
        for item in items {
            let task = read(&item)?;
            tasks.push((item, task));
        }
        Ok((tasks, next))
    }

    /// The task is done.
    pub(crate) fn done(&self, tx: &Tx, item: &DueItem) {
        self.entries.remove(tx, item);
    }
}

fn read(item: &DueItem) -> Result<Task, StoreError> {
    let record: TaskRecord = decode(&item.key, &item.value)?;
    let corrupt = |detail: String| StoreError::Corrupt { place: "a task of logs".into(), detail };
    let unreadable = |error: apus_kernel::ScopeError| corrupt(error.to_string());
    let account = record.account.parse().map_err(unreadable)?;
    let region = record.region.parse().map_err(unreadable)?;
    match (record.name, record.number, record.stream) {
        (Some(name), _, _) => Ok(Task::Retain(GroupId { account, region, name })),
        (None, Some(number), None) => Ok(Task::ClearGroup { account, region, number }),
        (None, Some(number), Some(stream)) => Ok(Task::ClearStream { account, region, number, stream }),
        (None, None, _) => Err(corrupt("it names nothing".into())),
    }
}
