//! The messages of one queue, in one transaction of its lane.
//!
//! ```text
//! … "body"  position       → MessageRecord, written once
//! … "state" position       → DeliveryRecord, from the first receive on
//! … "ready" since position → nothing; of a FIFO queue the group whose first message it is
//! … "due"   when  position → what it waits for, and its group: delayed and in-flight messages
//! own "aged" sent position → nothing: messages that came here older than those before them
//! ```
//!
//! Invariants: a message has one body. It is either in `due`, at its `visible_at`, or ready; the counts say how
//! many are what. Nobody but the queue's lane touches any of it. Receiving a message never rewrites its body.

use std::time::Duration;

use apus_store::{DueCursor, DueIndex, StoreError, Table, Tx, encode};
use apus_time::Timestamp;
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::groups::Groups;
use super::schedule::Schedule;
use super::tail::{Counts, Tail};
use super::{MessageAttributes, QueueRecord, generation, own};
use crate::queue_id::QueueId;

/// The most messages that become ready in one step; the rest waits for the next.
pub(crate) const PROMOTED_MAX: usize = 1_000;

/// A message as it was sent. Never rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MessageRecord {
    #[n(0)]
    pub(crate) id: String,
    #[n(1)]
    pub(crate) body: String,
    #[n(2)]
    pub(crate) attributes: MessageAttributes,
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
    #[n(7)]
    pub(crate) group: Option<String>,
    #[n(8)]
    pub(crate) deduplication_id: Option<String>,
    /// `DeadLetterQueueSourceArn`: the queue that it came from as a dead letter.
    #[n(9)]
    pub(crate) dead_letter_source: Option<String>,
}

impl MessageRecord {
    pub(crate) fn sent_at(&self) -> Timestamp {
        Timestamp::from_micros(self.sent_at_micros)
    }

    /// What the message takes in a transaction, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        crate::message::size(&self.body, &self.attributes)
    }
}

/// A message on its way into a queue, with its bytes: whoever sends it encodes it, so that the lane, in which all that
/// send to a queue take turns, has less to do.
#[derive(Clone, Debug)]
pub(crate) struct EncodedMessage {
    pub(crate) record: MessageRecord,
    bytes: Bytes,
}

impl From<MessageRecord> for EncodedMessage {
    fn from(record: MessageRecord) -> Self {
        Self { bytes: encode(&record), record }
    }
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
    #[n(4)]
    #[cbor(default)]
    pub(crate) received_at_micros: i64,
    #[n(5)]
    pub(crate) group: Option<String>,
}

impl DeliveryRecord {
    /// The record after one more receive.
    pub(crate) fn next(
        before: Option<&Self>,
        group: Option<String>,
        now: Timestamp,
        timeout: Duration,
        nonce: u64,
    ) -> Self {
        let (receives, first) =
            before.map_or((0, now.as_micros()), |b| (b.receives, b.first_received_at_micros));
        Self {
            visible_at_micros: (now + timeout).as_micros(),
            receives: receives.saturating_add(1),
            first_received_at_micros: first,
            nonce,
            received_at_micros: now.as_micros(),
            group,
        }
    }

    pub(crate) fn visible_at(&self) -> Timestamp {
        Timestamp::from_micros(self.visible_at_micros)
    }
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was sent and cannot be received yet.
    Delayed,
    Ready,
    /// Somebody has received it.
    InFlight,
}

/// A message that can be received.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) position: u64,
    since: Timestamp,
    pub(crate) group: Option<String>,
}

/// One of the oldest messages.
#[derive(Clone, Debug)]
pub(crate) struct Oldest {
    pub(crate) position: u64,
    /// When it was sent, if it is kept among the aged.
    pub(crate) aged: Option<Timestamp>,
    /// Nothing if it is gone.
    pub(crate) message: Option<MessageRecord>,
}

/// What the lane remembers of a queue's indexes from one step to the next. Fresh ones are right, only slower.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursors {
    ready: DueCursor,
    due: DueCursor,
    /// Nothing in `due` is due before that.
    quiet_until: Option<Timestamp>,
    /// The inbox held nothing when it was looked into last, and was empty up to there.
    pub(crate) inbox_is_empty: bool,
    pub(crate) inbox_from: u64,
}

/// The messages of one queue, in one transaction.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) id: QueueId,
    pub(crate) now: Timestamp,
    pub(crate) cursors: Cursors,
    retention: Duration,
    pub(super) bodies: Table<MessageRecord>,
    pub(super) deliveries: Table<DeliveryRecord>,
    pub(super) ready: DueIndex,
    pub(super) due: DueIndex,
    pub(super) aged: DueIndex,
    pub(super) tail: Tail,
    /// Of a FIFO queue.
    pub(super) groups: Option<Groups>,
}

impl Messages {
    pub(crate) async fn load(
        tx: &Tx,
        id: &QueueId,
        queue: &QueueRecord,
        cursors: Cursors,
    ) -> Result<Self, StoreError> {
        let own = own(id, queue.number);
        let space = generation(id, queue.number, queue.generation);
        Ok(Self {
            id: id.clone(),
            now: tx.now(),
            cursors,
            retention: queue.attributes.retention(),
            bodies: Table::new(space.sub(("body",))),
            deliveries: Table::new(space.sub(("state",))),
            ready: DueIndex::new(space.sub(("ready",))),
            due: DueIndex::new(space.sub(("due",))),
            aged: DueIndex::new(own.sub(("aged",))),
            tail: Tail::load(tx, &own).await?,
            groups: queue.attributes.fifo.is_some().then(|| Groups::new(&space)),
        })
    }

    /// Ends the transaction's part: what was counted is written.
    pub(crate) fn save(&self, tx: &Tx) {
        self.tail.save(tx);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.tail.now.counts
    }

    /// Begins with no messages, after a purge.
    pub(crate) fn forget_all(&mut self) {
        self.tail.now.counts = Counts::default();
    }

    /// Adds a message, to be received from its `visible_at` on; its position.
    pub(crate) async fn put(&mut self, tx: &Tx, message: &EncodedMessage) -> Result<u64, StoreError> {
        let position = self.tail.now.next;
        self.tail.now.next += 1;
        self.bodies.put_encoded(tx, (position,), message.bytes.clone());
        let message = &message.record;
        let visible_at = Timestamp::from_micros(message.visible_at_micros);
        let delayed = visible_at > self.now;
        let group = message.group.as_deref().filter(|_| self.groups.is_some());
        if delayed {
            self.tail.now.counts.delayed += 1;
            self.put_due(tx, visible_at, position, Phase::Delayed, group);
        } else {
            self.tail.now.counts.ready += 1;
        }
        match group {
            Some(group) => {
                self.change_group(tx, group, |groups, tx, record| {
                    groups.join(tx, group, record, position, delayed);
                })
                .await?;
            }
            None if delayed => {}
            None => self.put_ready(tx, visible_at, position),
        }
        self.need_upkeep(tx, message.sent_at() + self.retention);
        Ok(position)
    }

    /// Adds a message that was sent elsewhere, before those that are here already.
    pub(crate) async fn put_aged(&mut self, tx: &Tx, message: MessageRecord) -> Result<(), StoreError> {
        let sent_at = message.sent_at();
        let position = self.put(tx, &message.into()).await?;
        self.aged.put(tx, sent_at, (position,), Vec::new());
        Ok(())
    }

    /// Makes ready what has become due; whether that is all.
    pub(crate) async fn promote(&mut self, tx: &Tx) -> Result<(), StoreError> {
        if self.cursors.quiet_until.is_some_and(|until| until > self.now) {
            return Ok(());
        }
        let items = self.due.due(tx, self.now, PROMOTED_MAX, &mut self.cursors.due).await?;
        for item in &items {
            let (position,) = self.due.item::<(u64,)>(item)?;
            let (phase, group) = read_wait(&item.value);
            self.due.remove(tx, item);
            let counts = &mut self.tail.now.counts;
            let waiting = if phase == Phase::Delayed { &mut counts.delayed } else { &mut counts.in_flight };
            *waiting = waiting.saturating_sub(1);
            counts.ready += 1;
            match group {
                Some(group) => {
                    self.change_group(tx, group, |groups, tx, record| {
                        groups.come_back(tx, group, record, position, phase);
                    })
                    .await?;
                }
                None => self.put_ready(tx, item.due, position),
            }
        }
        self.cursors.quiet_until = if items.len() < PROMOTED_MAX {
            Some(self.due.next_due(tx, self.cursors.due).await?.unwrap_or(Timestamp::MAX))
        } else {
            None
        };
        Ok(())
    }

    /// When the next message becomes ready by time.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        Some(self.cursors.quiet_until.unwrap_or(self.now)).filter(|until| *until != Timestamp::MAX)
    }

    /// Up to so many messages that can be received, the longest ready first. Of a FIFO queue those of one group follow
    /// each other, as long as none of the group is delayed, and no group has one in flight.
    pub(crate) async fn receivable(&mut self, tx: &Tx, limit: usize) -> Result<Vec<Candidate>, StoreError> {
        let items = self.ready.due(tx, Timestamp::MAX, limit, &mut self.cursors.ready).await?;
        let mut candidates = Vec::new();
        for item in items {
            let Some(groups) = &self.groups else {
                let (position,) = self.ready.item::<(u64,)>(&item)?;
                candidates.push(Candidate { position, since: item.due, group: None });
                continue;
            };
            let group = text(&item.value);
            for position in groups.in_line(tx, group, limit - candidates.len()).await? {
                candidates.push(Candidate { position, since: item.due, group: Some(group.to_owned()) });
            }
            if candidates.len() == limit {
                break;
            }
        }
        Ok(candidates)
    }

    /// The message at a position, if it is there.
    pub(crate) async fn find(&self, tx: &Tx, position: u64) -> Result<Option<MessageRecord>, StoreError> {
        self.bodies.get(tx, (position,)).await
    }

    /// The message at a position that an index has.
    pub(crate) async fn body(&self, tx: &Tx, position: u64) -> Result<MessageRecord, StoreError> {
        self.find(tx, position).await?.ok_or_else(|| StoreError::Corrupt {
            place: format!("message {position} of {:?}", self.bodies),
            detail: "an index has it and it has no body".into(),
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

    /// Hands a candidate out: it is in flight until the record's `visible_at`.
    pub(crate) async fn deliver(
        &mut self,
        tx: &Tx,
        candidate: &Candidate,
        record: &DeliveryRecord,
    ) -> Result<(), StoreError> {
        let position = candidate.position;
        self.tail.now.counts.ready = self.tail.now.counts.ready.saturating_sub(1);
        self.tail.now.counts.in_flight += 1;
        self.put_due(tx, record.visible_at(), position, Phase::InFlight, candidate.group.as_deref());
        self.deliveries.put(tx, (position,), record);
        match candidate.group.as_deref() {
            Some(group) => self.change_group(tx, group, |_, _, record| record.in_flight += 1).await?,
            None => self.ready.delete(tx, candidate.since, (position,)),
        }
        Ok(())
    }

    /// Where the message is whose `visible_at` that is: delayed before its first receive, in flight after it, or ready.
    pub(crate) async fn phase(
        &self,
        tx: &Tx,
        position: u64,
        visible_at: Timestamp,
        received: bool,
    ) -> Result<Phase, StoreError> {
        let waiting = if received { Phase::InFlight } else { Phase::Delayed };
        // What is due and was not promoted yet is still where it waited.
        let waits = visible_at > self.now || self.due.contains(tx, visible_at, (position,)).await?;
        Ok(if waits { waiting } else { Phase::Ready })
    }

    /// Moves the end of a message's flight.
    pub(crate) fn extend(&mut self, tx: &Tx, position: u64, before: &DeliveryRecord, after: &DeliveryRecord) {
        self.due.delete(tx, before.visible_at(), (position,));
        self.put_due(tx, after.visible_at(), position, Phase::InFlight, after.group.as_deref());
        self.deliveries.put(tx, (position,), after);
    }

    /// Takes a candidate away.
    pub(crate) async fn remove(&mut self, tx: &Tx, candidate: &Candidate) -> Result<(), StoreError> {
        let Candidate { position, since, group } = candidate;
        self.take_away(tx, *position, Phase::Ready, *since, group.as_deref()).await
    }

    /// Takes a message away, wherever it is. `visible_at` is its delivery's, or before the first receive its own.
    pub(crate) async fn take_away(
        &mut self,
        tx: &Tx,
        position: u64,
        phase: Phase,
        visible_at: Timestamp,
        group: Option<&str>,
    ) -> Result<(), StoreError> {
        let group = group.filter(|_| self.groups.is_some());
        let counts = &mut self.tail.now.counts;
        let count = match phase {
            Phase::Delayed => &mut counts.delayed,
            Phase::Ready => &mut counts.ready,
            Phase::InFlight => &mut counts.in_flight,
        };
        *count = count.saturating_sub(1);
        match (phase, group) {
            (Phase::Delayed | Phase::InFlight, _) => self.due.delete(tx, visible_at, (position,)),
            (Phase::Ready, None) => self.ready.delete(tx, visible_at, (position,)),
            (Phase::Ready, Some(_)) => {}
        }
        self.bodies.delete(tx, (position,));
        self.deliveries.delete(tx, (position,));
        if let Some(group) = group {
            self.change_group(tx, group, |groups, tx, record| {
                groups.leave(tx, group, record, position, phase);
            })
            .await?;
        }
        Ok(())
    }

    /// The messages that are oldest: those that came here aged, and the first by position. An aged one that is gone
    /// is told as such, with its place among the aged.
    pub(crate) async fn oldest(&self, tx: &Tx, limit: usize) -> Result<Vec<Oldest>, StoreError> {
        let mut found = Vec::new();
        let mut fresh = DueCursor::default();
        for item in self.aged.due(tx, Timestamp::MAX, limit, &mut fresh).await? {
            let (position,) = self.aged.item::<(u64,)>(&item)?;
            let message = self.find(tx, position).await?;
            found.push(Oldest { position, aged: Some(item.due), message });
        }
        for (key, message) in self.bodies.list(tx, &self.bodies.range(()), limit).await? {
            let (position,) = self.bodies.space().unpack::<(u64,)>(&key)?;
            if found.iter().all(|known| known.position != position) {
                found.push(Oldest { position, aged: None, message: Some(message) });
            }
        }
        Ok(found)
    }

    /// Forgets that a message came here aged.
    pub(crate) fn forget_aged(&self, tx: &Tx, position: u64, sent_at: Timestamp) {
        self.aged.delete(tx, sent_at, (position,));
    }

    /// Has the queue looked after at that time, or earlier.
    pub(crate) fn need_upkeep(&mut self, tx: &Tx, at: Timestamp) {
        if self.tail.upkeep_at().is_none_or(|planned| planned > at) {
            self.plan_upkeep(tx, Some(at));
        }
    }

    /// Has the queue looked after at that time and not before.
    pub(crate) fn plan_upkeep(&mut self, tx: &Tx, at: Option<Timestamp>) {
        Schedule::new().tend(tx, &self.id, self.tail.upkeep_at(), at);
        self.tail.now.upkeep_at_micros = at.map(Timestamp::as_micros);
    }

    /// When the queue is looked after next.
    pub(crate) fn upkeep_at(&self) -> Option<Timestamp> {
        self.tail.upkeep_at()
    }

    /// Changes a group's record, and keeps the group among the ready ones or not, as follows from it.
    async fn change_group(
        &mut self,
        tx: &Tx,
        group: &str,
        change: impl FnOnce(&Groups, &Tx, &mut super::groups::GroupRecord),
    ) -> Result<(), StoreError> {
        let Some(groups) = &self.groups else { return Ok(()) };
        let mut record = groups.get(tx, group).await?;
        change(groups, tx, &mut record);
        let before = record.ready_key();
        groups.settle(tx, group, &mut record, self.now).await?;
        let after = record.ready_key();
        if before != after {
            if let Some((since, position)) = before {
                self.ready.delete(tx, since, (position,));
            }
            if let Some((since, position)) = after {
                self.cursors.ready.include(since);
                self.ready.put(tx, since, (position,), group.as_bytes().to_vec());
            }
        }
        Ok(())
    }

    fn put_ready(&mut self, tx: &Tx, since: Timestamp, position: u64) {
        self.cursors.ready.include(since);
        self.ready.put(tx, since, (position,), Vec::new());
    }

    fn put_due(&mut self, tx: &Tx, at: Timestamp, position: u64, phase: Phase, group: Option<&str>) {
        self.cursors.due.include(at);
        self.cursors.quiet_until = self.cursors.quiet_until.map(|until| until.min(at));
        self.due.put(tx, at, (position,), write_wait(phase, group));
    }
}

/// What a message waits for, and the group that waits with it.
pub(super) fn write_wait(phase: Phase, group: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![u8::from(phase == Phase::InFlight)];
    if let Some(group) = group {
        bytes.push(0);
        bytes.extend_from_slice(group.as_bytes());
    }
    bytes
}

pub(super) fn read_wait(bytes: &[u8]) -> (Phase, Option<&str>) {
    let phase = if bytes.first() == Some(&1) { Phase::InFlight } else { Phase::Delayed };
    (phase, bytes.get(2..).map(text))
}

/// A group's name, which was text when it was written.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
