//! A queue's lane: everything that changes a queue or its messages happens here, one step after another.
//!
//! Sends, receives, deletes and changes of visibility that wait at the same moment share one transaction ([`step`]).
//! Receivers that find nothing and may wait are parked ([`parked`]). Because nobody else changes a queue's record,
//! the lane has it in memory, under the lease, and whoever checks a request takes it from there.

mod admin;
mod arrivals;
mod memory;
mod parked;
mod receipts;
mod receive;
mod step;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{Lanes, Lease};
use apus_store::Store;
use apus_time::Timestamp;
use tokio::sync::{Notify, oneshot};

pub(crate) use memory::Seen;
pub(crate) use receive::IN_FLIGHT_MAX;
pub(crate) use step::Sent;

use crate::errors::JobError;
use crate::queue::Command;
use crate::queue_id::QueueId;
use crate::receipt::Receipt;
use crate::store::{DeliveryRecord, EncodedMessage, MessageRecord, QueueRecord};

pub(crate) use admin::MoveCommand;

type Answer<T> = oneshot::Sender<Result<T, JobError>>;

/// What a lane does.
enum Job {
    Send {
        messages: Arc<[EncodedMessage]>,
        reply: Answer<Vec<Sent>>,
    },
    Receive(Receiver),
    Delete {
        receipts: Vec<Receipt>,
        reply: Answer<Vec<Result<(), JobError>>>,
    },
    /// Changes of visibility: from now on so long.
    Hide {
        changes: Vec<(Receipt, Duration)>,
        reply: Answer<Vec<Result<(), JobError>>>,
    },
    Look {
        reply: Answer<Seen>,
    },
    Command {
        command: Box<Command>,
        reply: Answer<()>,
    },
    Move {
        command: MoveCommand,
        reply: Answer<u64>,
    },
    /// It is time to look after the queue.
    Tend {
        reply: Answer<()>,
    },
    /// Something may have become ready for those who are parked, or was left in the inbox.
    Wake,
}

/// Somebody who wants messages.
struct Receiver {
    wish: Wish,
    reply: Answer<Vec<Received>>,
}

/// What a receiver wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The most messages, 1 to 10.
    pub(crate) limit: usize,
    /// How long they stay invisible; nothing means the queue's own.
    pub(crate) visibility_timeout: Option<Duration>,
    /// Until when it waits for a first one.
    pub(crate) deadline: Option<Timestamp>,
    /// `ReceiveRequestAttemptId`: who asks again is given the same again.
    pub(crate) attempt: Option<String>,
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
pub(crate) struct QueueLanes {
    lanes: Lanes<QueueId, Job>,
    inner: Arc<step::Inner>,
}

impl QueueLanes {
    pub(crate) fn new(env: Env, store: Store, lease: Lease) -> Self {
        let inner = Arc::new(step::Inner::new(env.clone(), store, lease));
        let stepping = Arc::clone(&inner);
        let lanes =
            Lanes::new(env, "queue", move |lanes, id, jobs| Arc::clone(&stepping).step(lanes, id, jobs));
        Self { lanes, inner }
    }

    /// Rings when the schedule has something new.
    pub(crate) fn schedule_changed(&self) -> &Notify {
        &self.inner.schedule_changed
    }

    /// The queue as it is; its absence is the caller's mistake.
    pub(crate) async fn queue(&self, id: &QueueId) -> Result<Arc<QueueRecord>, JobError> {
        match self.inner.memory.queue(id) {
            Some(queue) => Ok(queue),
            None => Ok(self.look(id).await?.queue),
        }
    }

    /// The queue and its counts.
    pub(crate) async fn look(&self, id: &QueueId) -> Result<Seen, JobError> {
        self.lanes.call(id.clone(), |reply| Job::Look { reply }).await?
    }

    /// Sends messages together: what became of each, in their order.
    pub(crate) async fn send(
        &self,
        id: QueueId,
        messages: Vec<MessageRecord>,
    ) -> Result<Vec<Sent>, JobError> {
        let messages = messages.into_iter().map(EncodedMessage::from).collect();
        self.lanes.call(id, |reply| Job::Send { messages, reply }).await?
    }

    /// Receives; waits until the wish's deadline for a first message.
    pub(crate) async fn receive(&self, id: QueueId, wish: Wish) -> Result<Vec<Received>, JobError> {
        self.lanes.call(id, |reply| Job::Receive(Receiver { wish, reply })).await?
    }

    /// Deletes messages: what became of each.
    pub(crate) async fn delete(
        &self,
        id: QueueId,
        receipts: Vec<Receipt>,
    ) -> Result<Vec<Result<(), JobError>>, JobError> {
        self.lanes.call(id, |reply| Job::Delete { receipts, reply }).await?
    }

    /// Changes until when messages are invisible: what became of each.
    pub(crate) async fn hide(
        &self,
        id: QueueId,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), JobError>>, JobError> {
        self.lanes.call(id, |reply| Job::Hide { changes, reply }).await?
    }

    /// Makes, changes, purges or deletes the queue.
    pub(crate) async fn command(&self, id: QueueId, command: Command) -> Result<(), JobError> {
        self.lanes.call(id, |reply| Job::Command { command: Box::new(command), reply }).await?
    }

    /// Starts or cancels a message move task; how many messages it has moved.
    pub(crate) async fn move_messages(&self, id: QueueId, command: MoveCommand) -> Result<u64, JobError> {
        self.lanes.call(id, |reply| Job::Move { command, reply }).await?
    }

    /// Looks after the queue, if it is time.
    pub(crate) async fn tend(&self, id: QueueId) -> Result<(), JobError> {
        self.lanes.call(id, |reply| Job::Tend { reply }).await?
    }
}
