//! Every key and index of SQS, nowhere else.
//!
//! ```text
//! account region "sqs" "queue"    name                         → QueueRecord
//! account region "sqs" "deleted"  name                         → DeletedRecord: the name rests
//! account region "sqs" "source"   dead-letter-name name        → nothing: who sends its dead there
//! account region "sqs" "own"      number part …                → what a queue keeps besides messages ([`tail`],
//!                                                                [`recall`], [`moves`])
//! account region "sqs" "messages" number generation part …     → the messages ([`messages`], [`groups`], [`inbox`])
//! instance       "sqs" "schedule" when kind …                  → Task ([`schedule`])
//! ```
//!
//! A queue's number is its own for ever: a queue that is deleted and made again never sees old messages. A purge
//! begins a new generation. What is left behind of either is deleted later, in bounded steps.

mod check;
mod groups;
mod inbox;
mod messages;
mod moves;
mod recall;
mod schedule;
mod tail;

use std::collections::BTreeMap;

use apus_kernel::{AccountId, Region};
use apus_store::{Direction, Keyspace, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

pub(crate) use check::Contradictions;
pub(crate) use inbox::{Arrival, Inbox};
pub(crate) use messages::{
    Candidate, Cursors, DeliveryRecord, EncodedMessage, MessageRecord, Messages, Phase,
};
pub(crate) use moves::{MoveRecord, MoveStatus, Moves};
pub(crate) use recall::Recall;
pub(crate) use schedule::{Schedule, Task, empty_some};
pub(crate) use tail::Counts;

use crate::attributes::Attributes;
use crate::queue::NAME_RESTS;
use crate::queue_id::{QueueId, QueueName};
use crate::tags::Tags;

const SERVICE: &str = "sqs";

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct QueueRecord {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) attributes: Attributes,
    #[n(2)]
    pub(crate) created_at_micros: i64,
    #[n(3)]
    #[cbor(default)]
    pub(crate) modified_at_micros: i64,
    /// How often it was purged.
    #[n(4)]
    #[cbor(default)]
    pub(crate) generation: u32,
    #[n(5)]
    #[cbor(default)]
    pub(crate) tags: Tags,
    #[n(6)]
    pub(crate) purged_at_micros: Option<i64>,
}

/// When the last queue of a name was deleted.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct DeletedRecord {
    #[n(0)]
    at_micros: i64,
}

fn space(id: &QueueId) -> Keyspace {
    space_of(id.account, &id.region)
}

fn space_of(account: AccountId, region: &Region) -> Keyspace {
    Keyspace::new(account.as_str(), region.as_str(), SERVICE)
}

/// What a queue keeps besides its messages.
fn own(id: &QueueId, number: u64) -> Keyspace {
    space(id).sub(("own", number))
}

/// The messages of one generation.
fn generation(id: &QueueId, number: u64, generation: u32) -> Keyspace {
    space(id).sub(("messages", number, generation))
}

fn queues(id: &QueueId) -> Table<QueueRecord> {
    Table::new(space(id).sub(("queue",)))
}

fn deleted(id: &QueueId) -> Table<DeletedRecord> {
    Table::new(space(id).sub(("deleted",)))
}

/// Names in a part of the key space, in order: the first so many that begin with `prefix` and come after `after`.
async fn names(
    tx: &Tx,
    space: &Keyspace,
    prefix: &str,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Vec<QueueName>, StoreError> {
    let mut range = space.all().from(&space.key((prefix,)));
    if let Some(after) = after {
        range = range.after(&space.key((after.as_str(),)));
    }
    let mut names = Vec::new();
    for (key, _) in tx.range(&range, limit, Direction::Forward).await? {
        let (name,) = space.unpack::<(String,)>(&key)?;
        if !name.starts_with(prefix) {
            break;
        }
        names.push(name.parse().map_err(|_| StoreError::Corrupt {
            place: format!("{key:?}"),
            detail: "it names no queue".into(),
        })?);
    }
    Ok(names)
}

/// The names of an account's queues in a region.
pub(crate) async fn queue_names(
    tx: &Tx,
    account: AccountId,
    region: &Region,
    prefix: &str,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Vec<QueueName>, StoreError> {
    names(tx, &space_of(account, region).sub(("queue",)), prefix, after, limit).await
}

/// The names of the queues that send their dead to this one.
pub(crate) async fn source_names(
    tx: &Tx,
    dead_letter: &QueueId,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Vec<QueueName>, StoreError> {
    names(tx, &sources(dead_letter), "", after, limit).await
}

fn sources(dead_letter: &QueueId) -> Keyspace {
    space(dead_letter).sub(("source", dead_letter.name.as_str()))
}

/// The queue, if there is one.
pub(crate) async fn queue(tx: &Tx, id: &QueueId) -> Result<Option<QueueRecord>, StoreError> {
    queues(id).get(tx, (id.name.as_str(),)).await
}

/// When the last queue of that name was deleted, if that is not long ago.
pub(crate) async fn deleted_at(tx: &Tx, id: &QueueId) -> Result<Option<Timestamp>, StoreError> {
    let record = deleted(id).get(tx, (id.name.as_str(),)).await?;
    Ok(record.map(|record| Timestamp::from_micros(record.at_micros)))
}

/// Makes or changes a queue. `before` is what was there.
pub(crate) fn put_queue(tx: &Tx, id: &QueueId, before: Option<&QueueRecord>, record: &QueueRecord) {
    note_dead_letter(tx, id, before, Some(record));
    queues(id).put(tx, (id.name.as_str(),), record);
}

/// Deletes a queue, whose name then rests.
pub(crate) fn delete_queue(tx: &Tx, id: &QueueId, before: &QueueRecord, now: Timestamp) {
    note_dead_letter(tx, id, Some(before), None);
    queues(id).delete(tx, (id.name.as_str(),));
    deleted(id).put(tx, (id.name.as_str(),), &DeletedRecord { at_micros: now.as_micros() });
}

/// Forgets that a queue was deleted, unless the next of its name was deleted since and the name rests.
async fn forget_deleted(tx: &Tx, id: &QueueId) -> Result<(), StoreError> {
    if deleted_at(tx, id).await?.is_some_and(|at| at + NAME_RESTS <= tx.now()) {
        deleted(id).delete(tx, (id.name.as_str(),));
    }
    Ok(())
}

/// Keeps the index of who sends its dead where.
fn note_dead_letter(tx: &Tx, id: &QueueId, before: Option<&QueueRecord>, after: Option<&QueueRecord>) {
    let target = |record: Option<&QueueRecord>| record?.attributes.redrive.as_ref()?.target();
    let (before, after) = (target(before), target(after));
    if before == after {
        return;
    }
    if let Some(before) = before {
        tx.delete(&sources(&before).key((id.name.as_str(),)));
    }
    if let Some(after) = after {
        tx.put(&sources(&after).key((id.name.as_str(),)), Vec::new());
    }
}

/// The attributes of a message, as they are kept.
pub(crate) type MessageAttributes = BTreeMap<String, crate::message::Attribute>;
