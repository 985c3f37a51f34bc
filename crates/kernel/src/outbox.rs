//! The outbox: calls that a transaction leaves to be made later, and the dispatcher that makes them.
//!
//! A delivery is written in the same transaction as the change that causes it, so neither is there without the
//! other. It names a lane: deliveries of one lane are made one after another, lanes run beside each other. A
//! failed call is repeated with growing pauses, and its lane waits for it; what cannot be delivered ends among
//! the dead, with the reason. Nothing is lost, and nothing is delivered less than once.
//!
//! ```text
//! instance "outbox" "log"  lane            a log of DeliveryRecord
//! instance "outbox" "due"  when lane nonce  what wakes the lane; one entry for each delivery and each retry
//! instance "outbox" "lane" lane            LaneRecord, while the lane's head is being repeated
//! instance "outbox" "dead" lane position   DeadRecord
//! ```
//!
//! Invariant: a lane that has deliveries has a due entry, no later than the next attempt at its head.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_env::{Env, HashSet};
use apus_schema::{Operation, ServiceError, Structure};
use apus_store::record::{decode, encode};
use apus_store::{DueIndex, DueItem, Keyspace, Log, Store, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::call_record::CallRecord;
use crate::lease::FenceError;
use crate::{Caller, Lease, Origin, Platform};

/// The most lanes that are worked on at once.
pub const LANES_MAX: usize = 64;
/// The most deliveries of a lane between two writes of what is done.
const BATCH_MAX: usize = 32;
/// The most due entries that one look takes.
const DUE_MAX: usize = 1_000;
/// After the store failed, the time until the next look.
const PAUSE: Duration = Duration::from_secs(1);

/// How often and how long a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RetryPolicy {
    /// The most attempts, at least 1.
    #[n(0)]
    pub attempts_max: u32,
    /// How old a delivery may grow, in seconds.
    #[n(1)]
    pub age_secs_max: u32,
    /// The pause after the first failure, in seconds; it doubles with each further one.
    #[n(2)]
    pub pause_secs_min: u32,
    /// The longest pause, in seconds.
    #[n(3)]
    pub pause_secs_max: u32,
}

impl Default for RetryPolicy {
    /// As EventBridge delivers to its targets: 24 hours, up to 185 attempts.
    fn default() -> Self {
        Self { attempts_max: 185, age_secs_max: 86_400, pause_secs_min: 1, pause_secs_max: 600 }
    }
}

impl RetryPolicy {
    /// When to try again after so many failures; nothing if it is over.
    fn next(&self, failures: u32, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let doubled = self.pause_secs_min.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        let next = now + Duration::from_secs(doubled.min(self.pause_secs_max).into());
        let expires = since + Duration::from_secs(self.age_secs_max.into());
        (failures < self.attempts_max && next <= expires).then_some(next)
    }
}

/// A call to be made later.
#[derive(Clone, Debug)]
pub struct Delivery<O: Operation> {
    /// Deliveries of one lane keep their order: the target, and the group within it.
    pub lane: String,
    /// In whose name.
    pub caller: Caller,
    /// With what.
    pub input: O::Input,
    /// Not before.
    pub due: Timestamp,
    /// How often and how long.
    pub policy: RetryPolicy,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct DeliveryRecord {
    #[n(0)]
    call: CallRecord,
    #[n(1)]
    policy: RetryPolicy,
    #[n(2)]
    created_at_micros: i64,
    #[n(3)]
    due_at_micros: i64,
    /// The same at every attempt: targets may know a repetition by it.
    #[n(4)]
    idempotency_key: String,
}

/// The head of a lane that failed.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct LaneRecord {
    #[n(0)]
    failures: u32,
    #[n(1)]
    next_at_micros: i64,
}

/// A delivery that came to its end undelivered.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct DeadRecord {
    #[n(0)]
    delivery: DeliveryRecord,
    #[n(1)]
    reason: String,
    #[n(2)]
    died_at_micros: i64,
}

/// A delivery that came to its end undelivered, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Its lane.
    pub lane: String,
    /// `sqs:SendMessage`.
    pub operation: String,
    /// The last failure.
    pub reason: String,
    /// When it was given up.
    pub died_at: Timestamp,
}

/// The outbox of an instance. Clones are handles to the same one.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    env: Env,
    store: Store,
    lease: Lease,
    space: Keyspace,
    /// Lanes that are being worked on: leases in memory, under this instance's ownership.
    busy: Mutex<HashSet<String>>,
    /// A lane came free.
    freed: Notify,
}

impl Outbox {
    /// The outbox in that store, dispatched under that lease.
    pub fn new(env: Env, store: Store, lease: Lease) -> Self {
        let space = Keyspace::global("instance", "outbox");
        Self(Arc::new(Inner { env, store, lease, space, busy: Mutex::default(), freed: Notify::new() }))
    }

    /// Leaves a delivery, in the transaction of the change that causes it.
    pub fn put<O: Operation>(&self, tx: &Tx, delivery: Delivery<O>) {
        let inner = &*self.0;
        let record = DeliveryRecord {
            call: CallRecord::new(O::SCHEMA, &delivery.caller, &delivery.input.into_fields()),
            policy: delivery.policy,
            created_at_micros: tx.now().as_micros(),
            due_at_micros: delivery.due.as_micros(),
            idempotency_key: inner.env.uuid_v4(),
        };
        inner.log(&delivery.lane).append_at_commit(tx, encode(&record));
        let key = (delivery.lane.as_str(), inner.env.random_u64());
        inner.due().put(tx, delivery.due, key, Vec::new());
    }

    /// The first so many deliveries that came to their end undelivered.
    pub async fn dead(&self, limit: usize) -> Result<Vec<Dead>, StoreError> {
        let table = self.0.dead_table();
        let rows = self.0.store.read(|tx| async move { table.list(&tx, &table.range(()), limit).await }).await?;
        let read = |(key, record): (apus_store::Key, DeadRecord)| {
            let (lane, _position) = self.0.dead_table().space().unpack::<(String, u64)>(&key)?;
            let died_at = Timestamp::from_micros(record.died_at_micros);
            Ok(Dead { lane, operation: record.delivery.call.name(), reason: record.reason, died_at })
        };
        rows.into_iter().map(read).collect()
    }

    /// Makes deliveries as they come due, for as long as the platform runs.
    pub async fn dispatch(self, platform: Platform) {
        let mut changes = self.0.store.watch(self.0.due().prefix());
        loop {
            let wake_at = match self.look(&platform).await {
                Ok(next) => next,
                Err(FenceError::Lost { .. }) => return,
                Err(FenceError::Store(failed)) => {
                    error!(error = %failed, "the outbox could not be read");
                    Some(self.0.env.now() + PAUSE)
                }
            };
            let sleep = async {
                match wake_at {
                    Some(at) => self.0.env.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changes.changed() => {}
                () = self.0.freed.notified() => {}
                () = sleep => {}
            }
        }
    }

    /// Starts work on the lanes that are due and free; when to look again.
    async fn look(&self, platform: &Platform) -> Result<Option<Timestamp>, FenceError> {
        let inner = &self.0;
        let (now, items, next) = inner
            .store
            .read(|tx| async move {
                inner.lease.fence(&tx).await?;
                let now = tx.now();
                let items = inner.due().due(&tx, now, DUE_MAX, &mut apus_store::DueCursor::default()).await?;
                let mut after = apus_store::DueCursor::default();
                // Looks past what is due already.
                let _none = inner.due().due(&tx, now, 0, &mut after).await?;
                let next = inner.due().next_due(&tx, after).await?;
                Ok::<_, FenceError>((now, items, next))
            })
            .await?;
        let mut by_lane: Vec<(String, Vec<DueItem>)> = Vec::new();
        for item in items {
            let (lane, _nonce) = inner.due().item::<(String, u64)>(&item)?;
            match by_lane.iter_mut().find(|(known, _)| *known == lane) {
                Some((_, items)) => items.push(item),
                None => by_lane.push((lane, vec![item])),
            }
        }
        for (lane, items) in by_lane {
            if !inner.take(&lane) {
                continue;
            }
            let (outbox, platform) = (self.clone(), platform.clone());
            inner.env.spawn("outbox lane", async move {
                let work = Work { outbox: &outbox, platform: &platform, lane: &lane };
                if let Err(failed) = work.run(items).await {
                    warn!(lane, error = %failed, "a lane of the outbox stopped early");
                }
                outbox.0.release(&lane);
            });
        }
        Ok(next.filter(|next| *next > now))
    }
}
