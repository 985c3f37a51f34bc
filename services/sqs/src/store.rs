//! Every key and index of SQS.
//!
//! ```text
//! account region "sqs" "queue"   name                    → QueueRecord
//! account region "sqs" "next"    number                  → the position of the next message (a counter)
//! account region "sqs" "body"    number position         → MessageRecord, written once
//! account region "sqs" "state"   number position         → DeliveryRecord, from the first receive on
//! account region "sqs" "due"     number visible_at position → nothing: what may be received from when on
//! ```
//!
//! A queue's number is its own for ever: a queue that is deleted and made again never sees old messages.
//! Invariant: a message has a body and exactly one due entry, at its `visible_at`.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_kernel::{AccountId, Region};
use apus_store::{Direction, DueCursor, DueIndex, Key, Keyspace, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::message::Attribute;
use crate::queue::{Attributes, QueueId, QueueName};

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
}

/// A message as it was sent. Never rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MessageRecord {
    #[n(0)]
    pub(crate) id: String,
    #[n(1)]
    pub(crate) body: String,
    #[n(2)]
    pub(crate) attributes: BTreeMap<String, Attribute>,
    #[n(3)]
    pub(crate) sender: String,
    #[n(4)]
    pub(crate) sent_at_micros: i64,
    /// When it became visible for the first time: later than sent, if it was delayed.
    #[n(5)]
    pub(crate) visible_at_micros: i64,
    /// `AWSTraceHeader`.
    #[n(6)]
    pub(crate) trace_header: Option<String>,
}

/// What receiving a message changes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DeliveryRecord {
    #[n(0)]
    pub(crate) visible_at_micros: i64,
    #[n(1)]
    pub(crate) receives: u32,
    #[n(2)]
    pub(crate) first_received_at_micros: i64,
    /// Of the latest receive: only its handle deletes the message.
    #[n(3)]
    pub(crate) nonce: u64,
}

impl DeliveryRecord {
    /// The record after one more receive.
    pub(crate) fn next(before: Option<Self>, now: Timestamp, timeout: Duration, nonce: u64) -> Self {
        let (receives, first) =
            before.map_or((0, now.as_micros()), |b| (b.receives, b.first_received_at_micros));
        Self {
            visible_at_micros: (now + timeout).as_micros(),
            receives: receives.saturating_add(1),
            first_received_at_micros: first,
            nonce,
        }
    }
}

fn space(id: &QueueId) -> Keyspace {
    space_of(id.account, &id.region)
}

fn space_of(account: AccountId, region: &Region) -> Keyspace {
    Keyspace::new(account.as_str(), region.as_str(), SERVICE)
}

fn queues(id: &QueueId) -> Table<QueueRecord> {
    Table::new(space(id).sub(("queue",)))
}

/// The names of an account's queues in a region, in order: the first so many that begin with `prefix` and come
/// after `after`.
pub(crate) async fn queue_names(
    tx: &Tx,
    account: AccountId,
    region: &Region,
    prefix: &str,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Vec<QueueName>, StoreError> {
    let space = space_of(account, region).sub(("queue",));
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

/// The queue, if there is one.
pub(crate) async fn queue(tx: &Tx, id: &QueueId) -> Result<Option<QueueRecord>, StoreError> {
    queues(id).get(tx, (id.name.as_str(),)).await
}

/// Makes or changes a queue.
pub(crate) fn put_queue(tx: &Tx, id: &QueueId, record: &QueueRecord) {
    queues(id).put(tx, (id.name.as_str(),), record);
}

/// The messages of one queue. The queue's lane keeps the cursor, which spares scans of what is gone.
#[derive(Debug)]
pub(crate) struct Messages {
    next: Key,
    bodies: Table<MessageRecord>,
    deliveries: Table<DeliveryRecord>,
    due: DueIndex,
    cursor: DueCursor,
}

impl Messages {
    pub(crate) fn of(id: &QueueId, number: u64, cursor: DueCursor) -> Self {
        let space = space(id);
        Self {
            next: space.key(("next", number)),
            bodies: Table::new(space.sub(("body", number))),
            deliveries: Table::new(space.sub(("state", number))),
            due: DueIndex::new(space.sub(("due", number))),
            cursor,
        }
    }

    /// Where the next scan may begin, once this transaction has committed.
    pub(crate) fn cursor(&self) -> DueCursor {
        self.cursor
    }

    /// Takes positions for so many new messages; the first of them.
    pub(crate) async fn take_positions(&self, tx: &Tx, count: usize) -> Result<u64, StoreError> {
        let first = tx.counter(&self.next).await?;
        tx.add(&self.next, count as i64);
        Ok(first as u64)
    }

    /// Puts a new message, to be received from its `visible_at` on.
    pub(crate) fn put(&mut self, tx: &Tx, position: u64, message: &MessageRecord) {
        self.bodies.put(tx, (position,), message);
        self.put_due(tx, Timestamp::from_micros(message.visible_at_micros), position);
    }

    /// What may be received by `now`, the longest visible first: when it became visible, and its position.
    pub(crate) async fn visible(
        &mut self,
        tx: &Tx,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, u64)>, StoreError> {
        let items = self.due.due(tx, now, limit, &mut self.cursor).await?;
        items.iter().map(|item| Ok((item.due, self.due.item::<(u64,)>(item)?.0))).collect()
    }

    /// When the next message becomes visible; asked when nothing is.
    pub(crate) async fn next_visible(&self, tx: &Tx) -> Result<Option<Timestamp>, StoreError> {
        self.due.next_due(tx, self.cursor).await
    }

    /// The message at a position.
    pub(crate) async fn body(&self, tx: &Tx, position: u64) -> Result<MessageRecord, StoreError> {
        let body = self.bodies.get(tx, (position,)).await?;
        body.ok_or_else(|| StoreError::Corrupt {
            place: format!("message {position} of {:?}", self.bodies),
            detail: "it is due and has no body".into(),
        })
    }

    /// What receiving changed about the message at a position; nothing before its first receive.
    pub(crate) async fn delivery(
        &self,
        tx: &Tx,
        position: u64,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        self.deliveries.get(tx, (position,)).await
    }

    /// Moves a message on: it is visible again at the record's `visible_at`.
    pub(crate) fn deliver(&mut self, tx: &Tx, position: u64, was_due: Timestamp, record: &DeliveryRecord) {
        self.due.delete(tx, was_due, (position,));
        self.put_due(tx, Timestamp::from_micros(record.visible_at_micros), position);
        self.deliveries.put(tx, (position,), record);
    }

    /// Deletes a message that is due at `due`.
    pub(crate) fn delete(&self, tx: &Tx, position: u64, due: Timestamp) {
        self.due.delete(tx, due, (position,));
        self.deliveries.delete(tx, (position,));
        self.bodies.delete(tx, (position,));
    }

    fn put_due(&mut self, tx: &Tx, due: Timestamp, position: u64) {
        self.cursor.include(due);
        self.due.put(tx, due, (position,), Vec::new());
    }
}
