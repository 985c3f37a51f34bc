//! Those who wait at a queue, in the order in which they came, and the one alarm that wakes them.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::HashMap;
use apus_kernel::Lanes;
use apus_time::Timestamp;

use super::step::Inner;
use super::{Job, Receiver};
use crate::queue_id::QueueId;

/// By queue. A queue at which nobody waits and whose alarm has rung is not here.
#[derive(Default)]
pub(super) struct Parked(Mutex<HashMap<QueueId, Waiting>>);

#[derive(Default)]
struct Waiting {
    receivers: Vec<Receiver>,
    /// When the alarm rings that is set already.
    alarm: Option<Timestamp>,
}

impl Parked {
    /// Those who wait, for a step that looks whether there is something for them.
    pub(super) fn take(&self, id: &QueueId) -> Vec<Receiver> {
        self.lock().get_mut(id).map(|waiting| mem::take(&mut waiting.receivers)).unwrap_or_default()
    }

    /// Whether the alarm is still the one that is set, and somebody waits for it.
    fn alarm_rings(&self, id: &QueueId, at: Timestamp) -> bool {
        let mut all = self.lock();
        let Some(waiting) = all.get_mut(id).filter(|waiting| waiting.alarm == Some(at)) else { return false };
        waiting.alarm = None;
        let waited_for = !waiting.receivers.is_empty();
        if !waited_for {
            all.remove(id);
        }
        waited_for
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Parks who may wait, and sets an alarm for the first of a message's visibility and a receiver's deadline.
    pub(super) fn park(
        self: &Arc<Self>,
        lanes: Lanes<QueueId, Job>,
        id: QueueId,
        waiting: Vec<Receiver>,
        next_due: Option<Timestamp>,
    ) {
        if waiting.is_empty() {
            return;
        }
        let deadlines = waiting.iter().filter_map(|receiver| receiver.wish.deadline);
        let Some(wake_at) = deadlines.chain(next_due).min() else { return };
        {
            let mut parked = self.parked.lock();
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
            if inner.parked.alarm_rings(&id, wake_at) {
                // A full lane has steps before it, each of which looks at who is parked.
                let _full = lanes.submit(id, Job::Wake);
            }
        });
    }
}
