//! A step of a lane: jobs that wait at the same moment share one transaction.
//!
//! In this order: what is due becomes ready, what other lanes left is taken in, then sends, deletes, changes of
//! visibility, receives, and upkeep. An administrative command has a transaction of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{Lanes, Lease};
use apus_store::{Store, StoreError, Tx};
use apus_time::Timestamp;
use tokio::sync::Notify;

use super::memory::{Known, Memory};
use super::parked::Parked;
use super::{Answer, Job, Received, Receiver, Seen, Wish};
use crate::errors::JobError;
use crate::queue_id::QueueId;
use crate::receipt::Receipt;
use crate::store::{self, Counts, Cursors, EncodedMessage, Messages, QueueRecord, Recall};

/// The most bytes of messages that are sent in one transaction; a store's transaction may have 64 MiB.
const SENT_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) struct Inner {
    pub(super) env: Env,
    pub(super) store: Store,
    pub(super) lease: Lease,
    pub(super) memory: Memory,
    pub(super) parked: Parked,
    pub(super) schedule_changed: Notify,
}

/// What became of a message that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Its own id, or that of the message of which it is a duplicate.
    pub(crate) message_id: String,
    /// Its place in the queue.
    pub(crate) position: u64,
}

/// Jobs that share a transaction, by kind, with those who wait for them.
#[derive(Default)]
struct Batch {
    plan: Plan,
    bytes: usize,
    sent: Vec<Answer<Vec<Sent>>>,
    deleted: Vec<Answer<Vec<Result<(), JobError>>>>,
    hidden: Vec<Answer<Vec<Result<(), JobError>>>>,
    receivers: Vec<Receiver>,
    seen: Vec<Answer<Seen>>,
    tended: Vec<Answer<()>>,
}

/// What a step asks of its transaction, and needs to ask again after a conflict.
#[derive(Default)]
pub(super) struct Plan {
    messages: Vec<Arc<[EncodedMessage]>>,
    receipts: Vec<Vec<Receipt>>,
    changes: Vec<Vec<(Receipt, Duration)>>,
    wishes: Vec<Wish>,
    tend: bool,
    arrived: bool,
}

/// What the transaction gave.
struct Outcome {
    now: Timestamp,
    known: Known,
    counts: Counts,
    sent: Vec<Vec<Sent>>,
    deleted: Vec<Vec<Result<(), JobError>>>,
    hidden: Vec<Vec<Result<(), JobError>>>,
    received: Vec<Result<Vec<Received>, JobError>>,
    /// When there may be something for who waits.
    next_due: Option<Timestamp>,
    /// The queues in whose inboxes something was left.
    left_for: BTreeSet<QueueId>,
    upkeep_changed: bool,
}

/// One attempt of a step's transaction.
pub(super) struct Work<'a> {
    pub(super) env: &'a Env,
    pub(super) tx: &'a Tx,
    pub(super) id: &'a QueueId,
    pub(super) queue: &'a QueueRecord,
    pub(super) messages: Messages,
    pub(super) left_for: BTreeSet<QueueId>,
    /// There is more to do than one step may.
    pub(super) unfinished: bool,
}

impl Inner {
    pub(super) fn new(env: Env, store: Store, lease: Lease) -> Self {
        let (memory, parked) = (Memory::default(), Parked::default());
        Self { env, store, lease, memory, parked, schedule_changed: Notify::new() }
    }

    pub(super) async fn step(self: Arc<Self>, lanes: Lanes<QueueId, Job>, id: QueueId, jobs: Vec<Job>) {
        let mut batch = Batch::default();
        for job in jobs {
            match job {
                Job::Command { command, reply } => {
                    self.run(&lanes, &id, std::mem::take(&mut batch)).await;
                    self.command(&id, *command, reply).await;
                }
                Job::Move { command, reply } => {
                    self.run(&lanes, &id, std::mem::take(&mut batch)).await;
                    self.move_messages(&id, command, reply).await;
                }
                job => {
                    batch.add(job);
                    if batch.bytes >= SENT_BYTES_MAX {
                        self.run(&lanes, &id, std::mem::take(&mut batch)).await;
                    }
                }
            }
        }
        self.run(&lanes, &id, batch).await;
    }

    /// Does a batch and answers it. Who is parked goes before who comes now; who has gone away is left out.
    async fn run(self: &Arc<Self>, lanes: &Lanes<QueueId, Job>, id: &QueueId, mut batch: Batch) {
        let mut receivers = self.parked.take(id);
        receivers.append(&mut batch.receivers);
        receivers.retain(|receiver| !receiver.reply.is_closed());
        batch.plan.wishes = receivers.iter().map(|receiver| receiver.wish.clone()).collect();
        batch.plan.arrived = self.memory.take_arrival(id);
        let plan = Arc::new(std::mem::take(&mut batch.plan));
        if plan.is_empty() && batch.seen.is_empty() {
            return;
        }
        let known = self.memory.get(id);
        let attempt = |tx| Arc::clone(self).attempt(id.clone(), known.clone(), Arc::clone(&plan), tx);
        match self.store.transact(attempt).await {
            Ok(outcome) => {
                let seen = Seen { queue: Arc::clone(&outcome.known.queue), counts: outcome.counts };
                self.memory.keep(id, outcome.known);
                if outcome.upkeep_changed {
                    self.schedule_changed.notify_one();
                }
                for other in outcome.left_for {
                    self.memory.note_arrival(&other);
                    // A lane that is full has steps before it, the next of which sees the note.
                    let _full = lanes.submit(other, Job::Wake);
                }
                answer_each(batch.sent, outcome.sent);
                answer_each(batch.deleted, outcome.deleted);
                answer_each(batch.hidden, outcome.hidden);
                answer_all(batch.seen, &Ok(seen));
                answer_all(batch.tended, &Ok(()));
                let waiting = hand_out(receivers, outcome.received, outcome.now);
                self.park(lanes.clone(), id.clone(), waiting, outcome.next_due);
            }
            Err(error) => {
                self.memory.forget(id);
                answer_all(batch.sent, &Err(error.clone()));
                answer_all(batch.deleted, &Err(error.clone()));
                answer_all(batch.hidden, &Err(error.clone()));
                answer_all(batch.seen, &Err(error.clone()));
                answer_all(batch.tended, &Err(error.clone()));
                answer_all(receivers.into_iter().map(|receiver| receiver.reply), &Err(error));
            }
        }
    }

    async fn attempt(
        self: Arc<Self>,
        id: QueueId,
        known: Option<Known>,
        plan: Arc<Plan>,
        tx: Tx,
    ) -> Result<Outcome, JobError> {
        self.lease.fence(&tx).await?;
        let Known { queue, cursors } = if let Some(known) = known {
            known
        } else {
            let queue = store::queue(&tx, &id).await?.ok_or(JobError::NoQueue)?;
            Known { queue: Arc::new(queue), cursors: Cursors::default() }
        };
        let messages = Messages::load(&tx, &id, &queue, cursors).await?;
        let upkeep_before = messages.upkeep_at();
        let (left_for, unfinished) = (BTreeSet::new(), false);
        let mut work =
            Work { env: &self.env, tx: &tx, id: &id, queue: &queue, messages, left_for, unfinished };
        work.messages.promote(&tx).await?;
        if plan.arrived || !work.messages.cursors.inbox_is_empty {
            work.take_in().await?;
        }
        let mut sent = Vec::with_capacity(plan.messages.len());
        for messages in &plan.messages {
            sent.push(work.send(messages).await?);
        }
        let mut deleted = Vec::with_capacity(plan.receipts.len());
        for receipts in &plan.receipts {
            deleted.push(work.delete(receipts).await?);
        }
        let mut hidden = Vec::with_capacity(plan.changes.len());
        for changes in &plan.changes {
            hidden.push(work.hide(changes).await?);
        }
        // A timeout of zero makes ready at once.
        work.messages.promote(&tx).await?;
        let received = work.receive(&plan.wishes).await?;
        if plan.tend {
            work.tend().await?;
        }
        let Work { messages, left_for, unfinished, .. } = work;
        messages.save(&tx);
        let next_due = if unfinished { Some(tx.now()) } else { messages.next_due() };
        Ok(Outcome {
            now: tx.now(),
            counts: messages.counts(),
            upkeep_changed: upkeep_before != messages.upkeep_at(),
            known: Known { cursors: messages.cursors, queue },
            sent,
            deleted,
            hidden,
            received,
            next_due,
            left_for,
        })
    }
}

impl Work<'_> {
    /// Puts messages, in their order; a duplicate of what a FIFO queue remembers is answered with that.
    async fn send(&mut self, messages: &[EncodedMessage]) -> Result<Vec<Sent>, StoreError> {
        let mut sent = Vec::with_capacity(messages.len());
        let Some(fifo) = &self.queue.attributes.fifo else {
            for message in messages {
                let position = self.messages.put(self.tx, message).await?;
                sent.push(Sent { message_id: message.record.id.clone(), position });
            }
            return Ok(sent);
        };
        let recall = Recall::of(self.id, self.queue);
        for sending in messages {
            let message = &sending.record;
            let group = message.group.as_deref().unwrap_or_default();
            let scope = if fifo.deduplicates_within_group { group } else { "" };
            let id = message.deduplication_id.as_deref().unwrap_or_default();
            if let Some(known) = recall.sent(self.tx, scope, id).await? {
                sent.push(Sent { message_id: known.message_id, position: known.position });
                continue;
            }
            let position = self.messages.put(self.tx, sending).await?;
            let until = recall.remember_sent(self.tx, scope, id, message.id.clone(), position);
            self.messages.need_upkeep(self.tx, until);
            sent.push(Sent { message_id: message.id.clone(), position });
        }
        Ok(sent)
    }
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.receipts.is_empty()
            && self.changes.is_empty()
            && self.wishes.is_empty()
            && !self.tend
            && !self.arrived
    }
}

impl Batch {
    fn add(&mut self, job: Job) {
        match job {
            Job::Send { messages, reply } => {
                self.bytes += messages.iter().map(|message| message.record.bytes()).sum::<usize>();
                self.plan.messages.push(messages);
                self.sent.push(reply);
            }
            Job::Receive(receiver) => self.receivers.push(receiver),
            Job::Delete { receipts, reply } => {
                self.plan.receipts.push(receipts);
                self.deleted.push(reply);
            }
            Job::Hide { changes, reply } => {
                self.plan.changes.push(changes);
                self.hidden.push(reply);
            }
            Job::Look { reply } => self.seen.push(reply),
            Job::Tend { reply } => {
                self.plan.tend = true;
                self.tended.push(reply);
            }
            Job::Wake => {}
            Job::Command { .. } | Job::Move { .. } => unreachable!("a command has a transaction of its own"),
        }
    }
}

/// Answers those who received something or may wait no longer; the others are returned.
fn hand_out(
    receivers: Vec<Receiver>,
    received: Vec<Result<Vec<Received>, JobError>>,
    now: Timestamp,
) -> Vec<Receiver> {
    let mut waiting = Vec::new();
    for (receiver, received) in receivers.into_iter().zip(received) {
        let is_empty = received.as_ref().is_ok_and(Vec::is_empty);
        if is_empty && receiver.wish.deadline.is_some_and(|deadline| deadline > now) {
            waiting.push(receiver);
        } else {
            // Who went away meanwhile leaves the messages to the next receiver, when they are visible again.
            let _gone = receiver.reply.send(received);
        }
    }
    waiting
}

fn answer_each<T>(replies: Vec<Answer<T>>, answers: Vec<T>) {
    for (reply, answer) in replies.into_iter().zip(answers) {
        // A client that went away needs no answer; what it asked for is done.
        let _gone = reply.send(Ok(answer));
    }
}

pub(super) fn answer_all<T: Clone>(
    replies: impl IntoIterator<Item = Answer<T>>,
    answer: &Result<T, JobError>,
) {
    for reply in replies {
        let _gone = reply.send(answer.clone());
    }
}
