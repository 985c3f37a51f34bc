//! A queue's traffic: sends, receives and deletes of one queue share transactions in its lane.
//!
//! Receivers that find nothing and may wait are parked here, in the order in which they came. A send hands its
//! message to the first of them within its own transaction; a message that becomes visible by time wakes the
//! lane through an alarm. There is no polling.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_env::{Env, HashMap};
use apus_kernel::{LaneError, Lanes, Lease};
use apus_store::{DueCursor, Store, StoreError, Tx};
use apus_time::Timestamp;
use tokio::sync::oneshot;

use crate::errors::JobError;
use crate::queue::QueueId;
use crate::receipt::Receipt;
use crate::store::{self, DeliveryRecord, MessageRecord, Messages, QueueRecord};

/// The most messages that expire in one step; the rest waits for the next.
const EXPIRED_MAX: usize = 1_000;
/// The most queues whose cursors are kept; they cost one longer scan to make anew.
const CURSORS_MAX: usize = 10_000;
/// The most messages that are looked up at once.
const VISIBLE_MAX: usize = 1_000;

type Answer<T> = oneshot::Sender<Result<T, JobError>>;

/// What a lane does.
pub(crate) enum Job {
    Send {
        message: Arc<MessageRecord>,
        reply: Answer<()>,
    },
    Receive(Receiver),
    Delete {
        receipt: Receipt,
        reply: Answer<()>,
    },
    /// Something may have become visible for those who are parked.
    Wake,
}

/// Somebody who wants messages.
pub(crate) struct Receiver {
    wish: Wish,
    reply: Answer<Vec<Received>>,
}

/// What a receiver wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The most messages, 1 to 10.
    pub(crate) limit: usize,
    /// How long they stay invisible; nothing means the queue's own.
    pub(crate) visibility_timeout: Option<Duration>,
    /// Until when it waits for a first one.
    pub(crate) deadline: Option<Timestamp>,
}

/// A message, received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) message: MessageRecord,
    pub(crate) delivery: DeliveryRecord,
    pub(crate) receipt: Receipt,
}

/// The lanes of all queues.
#[derive(Clone)]
pub(crate) struct Traffic {
    lanes: Lanes<QueueId, Job>,
}

impl Traffic {
    pub(crate) fn new(env: Env, store: Store, lease: Lease) -> Self {
        let inner = Arc::new(Inner {
            env: env.clone(),
            store,
            lease,
            parked: Mutex::default(),
            cursors: Mutex::default(),
        });
        let lanes = Lanes::new(env, "queue", move |lanes, id, jobs| Arc::clone(&inner).step(lanes, id, jobs));
        Self { lanes }
    }

    pub(crate) async fn send(&self, id: QueueId, message: MessageRecord) -> Result<(), TrafficError> {
        Ok(self.lanes.call(id, |reply| Job::Send { message: Arc::new(message), reply }).await??)
    }

    /// Receives; waits until the wish's deadline for a first message.
    pub(crate) async fn receive(&self, id: QueueId, wish: Wish) -> Result<Vec<Received>, TrafficError> {
        Ok(self.lanes.call(id, |reply| Job::Receive(Receiver { wish, reply })).await??)
    }

    pub(crate) async fn delete(&self, id: QueueId, receipt: Receipt) -> Result<(), TrafficError> {
        Ok(self.lanes.call(id, |reply| Job::Delete { receipt, reply }).await??)
    }
}

struct Inner {
    env: Env,
    store: Store,
    lease: Lease,
    parked: Mutex<HashMap<QueueId, Parked>>,
    /// Where the scan for visible messages begins, by queue and its number. Fresh ones are right, only slower.
    cursors: Mutex<HashMap<QueueId, (u64, DueCursor)>>,
}

/// Those who wait at one queue, in the order in which they came.
#[derive(Default)]
struct Parked {
    receivers: Vec<Receiver>,
    /// When the alarm rings that is set already.
    alarm: Option<Timestamp>,
}

/// The jobs of one step, by kind.
#[derive(Default)]
struct Batch {
    messages: Vec<Arc<MessageRecord>>,
    sent: Vec<Answer<()>>,
    receipts: Vec<Receipt>,
    deleted: Vec<Answer<()>>,
    receivers: Vec<Receiver>,
}

/// What a step asks of its transaction, and what it needs to ask again after a conflict.
struct Plan {
    id: QueueId,
    messages: Vec<Arc<MessageRecord>>,
    receipts: Vec<Receipt>,
    wishes: Vec<Wish>,
}

/// What the transaction gave.
struct Outcome {
    now: Timestamp,
    /// The queue's number, and where the next scan begins.
    cursor: (u64, DueCursor),
    /// For each receipt, whether it was of this queue.
    deleted: Vec<bool>,
    /// For each wish.
    received: Vec<Vec<Received>>,
    /// When the next message becomes visible by time.
    next_visible: Option<Timestamp>,
}

impl Inner {
    async fn step(self: Arc<Self>, lanes: Lanes<QueueId, Job>, id: QueueId, jobs: Vec<Job>) {
        let batch = self.gather(&id, jobs);
        let plan = Arc::new(Plan {
            id: id.clone(),
            messages: batch.messages,
            receipts: batch.receipts,
            wishes: batch.receivers.iter().map(|receiver| receiver.wish).collect(),
        });
        let attempt = |tx| Arc::clone(&self).attempt(Arc::clone(&plan), tx);
        match self.store.transact(attempt).await {
            Ok(outcome) => {
                self.keep_cursor(&id, outcome.cursor);
                answer_all(batch.sent, &Ok(()));
                for (reply, was_ours) in batch.deleted.into_iter().zip(outcome.deleted) {
                    let _gone = reply.send(if was_ours { Ok(()) } else { Err(JobError::ForeignReceipt) });
                }
                let waiting = hand_out(batch.receivers, outcome.received, outcome.now);
                self.park(lanes, id, waiting, outcome.next_visible);
            }
            Err(error) => {
                answer_all(batch.sent, &Err(error.clone()));
                answer_all(batch.deleted, &Err(error.clone()));
                answer_all(batch.receivers.into_iter().map(|receiver| receiver.reply), &Err(error));
            }
        }
    }

    /// Sorts the jobs. Who is parked goes before who comes now; who has gone away is left out.
    fn gather(&self, id: &QueueId, jobs: Vec<Job>) -> Batch {
        let mut batch = Batch::default();
        if let Some(parked) = self.parked().get_mut(id) {
            batch.receivers = mem::take(&mut parked.receivers);
        }
        for job in jobs {
            match job {
                Job::Send { message, reply } => {
                    batch.messages.push(message);
                    batch.sent.push(reply);
                }
                Job::Receive(receiver) => batch.receivers.push(receiver),
                Job::Delete { receipt, reply } => {
                    batch.receipts.push(receipt);
                    batch.deleted.push(reply);
                }
                Job::Wake => {}
            }
        }
        batch.receivers.retain(|receiver| !receiver.reply.is_closed());
        batch
    }

    /// One attempt of a step's transaction: sends, then deletes, then receives.
    async fn attempt(self: Arc<Self>, plan: Arc<Plan>, tx: Tx) -> Result<Outcome, JobError> {
        self.lease.fence(&tx).await?;
        let queue = store::queue(&tx, &plan.id).await?.ok_or(JobError::NoQueue)?;
        let mut messages = Messages::of(&plan.id, queue.number, self.cursor(&plan.id, queue.number));
        if !plan.messages.is_empty() {
            let first = messages.take_positions(&tx, plan.messages.len()).await?;
            for (message, position) in plan.messages.iter().zip(first..) {
                messages.put(&tx, position, message);
            }
        }
        let mut deleted = Vec::with_capacity(plan.receipts.len());
        for receipt in &plan.receipts {
            deleted.push(delete(&tx, &messages, queue.number, *receipt).await?);
        }
        let received = self.receive(&tx, &mut messages, &queue, &plan.wishes).await?;
        let unmet =
            plan.wishes.iter().zip(&received).any(|(wish, got)| wish.deadline.is_some() && got.is_empty());
        let next_visible = if unmet { messages.next_visible(&tx).await? } else { None };
        let cursor = (queue.number, messages.cursor());
        Ok(Outcome { now: tx.now(), cursor, deleted, received, next_visible })
    }

    /// Hands what is visible to the wishes, in their order; deletes what is past its retention on the way.
    async fn receive(
        &self,
        tx: &Tx,
        messages: &mut Messages,
        queue: &QueueRecord,
        wishes: &[Wish],
    ) -> Result<Vec<Vec<Received>>, StoreError> {
        let now = tx.now();
        let mut received = vec![Vec::new(); wishes.len()];
        let mut at = 0;
        let mut expired = 0;
        // A timeout of zero makes a message visible again at once, for the next step, not for this one.
        let mut handed_out = BTreeSet::new();
        while at < wishes.len() && expired < EXPIRED_MAX {
            let wanted = wishes[at..].iter().map(|wish| wish.limit).sum::<usize>() - received[at].len();
            let limit = wanted.min(VISIBLE_MAX) + handed_out.len();
            let mut visible = messages.visible(tx, now, limit).await?;
            visible.retain(|(_due, position)| !handed_out.contains(position));
            if visible.is_empty() {
                break;
            }
            for (due, position) in visible {
                if at == wishes.len() {
                    break;
                }
                let message = messages.body(tx, position).await?;
                let sent_at = Timestamp::from_micros(message.sent_at_micros);
                if sent_at + queue.attributes.retention() <= now {
                    messages.delete(tx, position, due);
                    expired += 1;
                    continue;
                }
                let wish = &wishes[at];
                let timeout = wish.visibility_timeout.unwrap_or(queue.attributes.visibility_timeout());
                let before = messages.delivery(tx, position).await?;
                let delivery = DeliveryRecord::next(before, now, timeout, self.env.random_u64());
                messages.deliver(tx, position, due, &delivery);
                handed_out.insert(position);
                let receipt = Receipt { queue: queue.number, position, nonce: delivery.nonce };
                received[at].push(Received { message, delivery, receipt });
                if received[at].len() == wish.limit {
                    at += 1;
                }
            }
        }
        Ok(received)
    }

    /// Parks who may wait, and sets an alarm for the first of a message's visibility and a receiver's deadline.
    fn park(
        self: &Arc<Self>,
        lanes: Lanes<QueueId, Job>,
        id: QueueId,
        waiting: Vec<Receiver>,
        next_visible: Option<Timestamp>,
    ) {
        let deadlines = waiting.iter().filter_map(|receiver| receiver.wish.deadline);
        let Some(wake_at) = deadlines.chain(next_visible).min() else { return };
        {
            let mut parked = self.parked();
            let parked = parked.entry(id.clone()).or_default();
            parked.receivers.extend(waiting);
            if parked.alarm.is_some_and(|alarm| alarm <= wake_at) {
                return;
            }
            parked.alarm = Some(wake_at);
        }
        let inner = Arc::clone(self);
        self.env.spawn("queue alarm", async move {
            inner.env.sleep_until(wake_at).await;
            if inner.alarm_rings(&id, wake_at) {
                // A full lane has steps before it, each of which looks at who is parked.
                let _full = lanes.submit(id, Job::Wake);
            }
        });
    }

    /// Whether the alarm is still the one that is set, and somebody waits for it.
    fn alarm_rings(&self, id: &QueueId, wake_at: Timestamp) -> bool {
        let mut all = self.parked();
        let Some(parked) = all.get_mut(id).filter(|parked| parked.alarm == Some(wake_at)) else {
            return false;
        };
        parked.alarm = None;
        let waited_for = !parked.receivers.is_empty();
        if !waited_for {
            all.remove(id);
        }
        waited_for
    }

    fn cursor(&self, id: &QueueId, number: u64) -> DueCursor {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(id).filter(|(of, _)| *of == number).map(|(_, cursor)| *cursor).unwrap_or_default()
    }

    fn keep_cursor(&self, id: &QueueId, cursor: (u64, DueCursor)) {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        if cursors.len() >= CURSORS_MAX {
            cursors.clear();
        }
        cursors.insert(id.clone(), cursor);
    }

    fn parked(&self) -> MutexGuard<'_, HashMap<QueueId, Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes the message if the receipt is of its latest receive; whether the receipt is of this queue.
async fn delete(tx: &Tx, messages: &Messages, queue: u64, receipt: Receipt) -> Result<bool, StoreError> {
    if receipt.queue != queue {
        return Ok(false);
    }
    if let Some(delivery) = messages.delivery(tx, receipt.position).await?
        && delivery.nonce == receipt.nonce
    {
        messages.delete(tx, receipt.position, Timestamp::from_micros(delivery.visible_at_micros));
    }
    Ok(true)
}

/// Answers those who received something or may wait no longer; the others are returned.
fn hand_out(receivers: Vec<Receiver>, received: Vec<Vec<Received>>, now: Timestamp) -> Vec<Receiver> {
    let mut waiting = Vec::new();
    for (receiver, received) in receivers.into_iter().zip(received) {
        if received.is_empty() && receiver.wish.deadline.is_some_and(|deadline| deadline > now) {
            waiting.push(receiver);
        } else {
            // Who went away meanwhile leaves the messages to the next receiver, when they are visible again.
            let _gone = receiver.reply.send(Ok(received));
        }
    }
    waiting
}

fn answer_all<T: Clone>(replies: impl IntoIterator<Item = Answer<T>>, answer: &Result<T, JobError>) {
    for reply in replies {
        // A client that went away needs no answer; what it asked for is done.
        let _gone = reply.send(answer.clone());
    }
}

/// Why a job came to nothing.
#[derive(Debug)]
pub(crate) enum TrafficError {
    Lane(LaneError),
    Job(JobError),
}

impl From<LaneError> for TrafficError {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

impl From<JobError> for TrafficError {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}
