//! What comes to a queue from another one: dead letters, and what a message move task brings.
//!
//! ```text
//! … "inbox" → a queue of Arrival
//! ```
//!
//! Only a queue's own lane touches its messages, so another lane leaves them here, in the transaction in which it lets
//! go of them, and this lane takes them in.

use apus_store::{Log, Queue, StoreError, Tx, decode, encode};
use minicbor::{Decode, Encode};

use super::{MessageRecord, QueueRecord, generation};
use crate::queue_id::QueueId;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Arrival {
    #[n(0)]
    pub(crate) message: MessageRecord,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Queue,
    key: apus_store::Key,
}

impl Inbox {
    pub(crate) fn of(id: &QueueId, record: &QueueRecord) -> Self {
        let key = generation(id, record.number, record.generation).key(("inbox",));
        Self { queue: Queue::new(key.clone()), key }
    }

    /// Leaves a message; never conflicts.
    pub(crate) fn leave(&self, tx: &Tx, arrival: &Arrival) {
        self.queue.push(tx, encode(arrival));
    }

    /// The first so many from a position on, each with its own.
    pub(crate) async fn peek(
        &self,
        tx: &Tx,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Arrival)>, StoreError> {
        let items = self.queue.peek(tx, from, limit).await?;
        items.into_iter().map(|(position, bytes)| Ok((position, decode(&self.key, &bytes)?))).collect()
    }

    /// The position that the next message will have.
    pub(super) async fn tail(&self, tx: &Tx) -> Result<u64, StoreError> {
        Log::new(self.key.clone()).tail(tx).await
    }

    pub(crate) fn remove(&self, tx: &Tx, position: u64) {
        self.queue.remove(tx, position);
    }
}
