//! What lanes have in memory of their queues: the record, and where scans begin. All of it can be forgotten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::{HashMap, HashSet};

use crate::queue_id::QueueId;
use crate::store::{Counts, Cursors, QueueRecord};

/// The most queues that are remembered; one costs a read and a longer scan to learn anew.
const QUEUES_MAX: usize = 10_000;

/// A queue and its counts.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) queue: Arc<QueueRecord>,
    pub(crate) counts: Counts,
}

#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) queue: Arc<QueueRecord>,
    pub(super) cursors: Cursors,
}

#[derive(Default)]
pub(super) struct Memory {
    known: Mutex<HashMap<QueueId, Known>>,
    /// The queues in whose inboxes another lane has left something.
    arrived: Mutex<HashSet<QueueId>>,
}

impl Memory {
    pub(super) fn get(&self, id: &QueueId) -> Option<Known> {
        self.lock().get(id).cloned()
    }

    pub(super) fn queue(&self, id: &QueueId) -> Option<Arc<QueueRecord>> {
        self.lock().get(id).map(|known| Arc::clone(&known.queue))
    }

    /// Keeps what a step has learnt, once its transaction has committed. Only the queue's lane does so.
    pub(super) fn keep(&self, id: &QueueId, known: Known) {
        let mut all = self.lock();
        if all.len() >= QUEUES_MAX && !all.contains_key(id) {
            all.clear();
        }
        all.insert(id.clone(), known);
    }

    pub(super) fn forget(&self, id: &QueueId) {
        self.lock().remove(id);
    }

    /// Notes that something was left for a queue.
    pub(super) fn note_arrival(&self, id: &QueueId) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    /// Whether something was left for a queue since this was asked last.
    pub(super) fn take_arrival(&self, id: &QueueId) -> bool {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
