//! The outbox: calls that a transaction leaves to be made later, and the dispatcher that makes them.
//!
//! A delivery is written in the same transaction as the change that causes it, so neither is there without the
//! other. It names a lane: deliveries of one lane are made one after another, lanes run beside each other. A
//! failed call is repeated with growing pauses, and its lane waits for it; what cannot be delivered ends among
//! the dead, with the reason. Nothing is lost, and nothing is delivered less than once.
//!
//! What is no call of an operation (fanning a message out, posting to an endpoint) is a [`Step`] of the service that
//! leaves it: it is found by its name in the service's registration table, and says itself when to try again.
//!
//! ```text
//! instance "outbox" "log"  lane            a log of DeliveryRecord
//! instance "outbox" "due"  when lane nonce  what wakes the lane; one entry for each delivery and each retry
//! instance "outbox" "lane" lane            LaneRecord, while the lane's head is being repeated
//! instance "outbox" "dead" lane position   DeadRecord
//! ```
//!
//! Invariant: a lane that has deliveries has a due entry, no later than the next attempt at its head.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_env::{Env, HashMap, HashSet};
use apus_schema::{Operation, ServiceError, Structure};
use apus_store::record::{decode, encode};
use apus_store::{DueCursor, DueIndex, DueItem, Key, Keyspace, Log, Store, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::call_record::CallRecord;
use crate::lease::FenceError;
use crate::step::{Attempt, StepEnd};
use crate::{Caller, Lease, Origin, Platform};

/// The most lanes that are worked on at once: each may wait for an answer from outside.
pub const LANES_MAX: usize = 512;
/// The most deliveries of a lane between two writes of what is done.
const BATCH_MAX: usize = 32;
/// The most due entries that one page of a look takes.
const DUE_MAX: usize = 1_000;
/// The most pages of a look: a lane that is busy may have many entries before those of a free one.
const PAGES_MAX: usize = 100;
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

/// A step of a service, to be taken later.
#[derive(Clone, Debug)]
pub struct StepDelivery {
    /// Deliveries of one lane keep their order. Its name begins with the service's, so that no two services share one.
    pub lane: String,
    /// The service whose step it is.
    pub service: &'static str,
    /// The step, as the service's registration table names it.
    pub step: &'static str,
    /// What the step reads.
    pub payload: Vec<u8>,
    /// Not before.
    pub due: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct StepRecord {
    #[n(0)]
    service: String,
    #[n(1)]
    step: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    payload: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct DeliveryRecord {
    /// A call, or else a step.
    #[n(0)]
    call: Option<CallRecord>,
    #[n(1)]
    policy: RetryPolicy,
    #[n(2)]
    created_at_micros: i64,
    #[n(3)]
    due_at_micros: i64,
    /// The same at every attempt: targets may know a repetition by it.
    #[n(4)]
    idempotency_key: String,
    #[n(5)]
    step: Option<StepRecord>,
}

impl DeliveryRecord {
    /// For messages: `sqs:SendMessage`, or `sns:deliver` for a step.
    fn name(&self) -> String {
        match (&self.call, &self.step) {
            (Some(call), _) => call.name(),
            (None, Some(step)) => format!("{}:{}", step.service, step.step),
            (None, None) => "nothing".to_owned(),
        }
    }
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
        let record = DeliveryRecord {
            call: Some(CallRecord::new(O::SCHEMA, &delivery.caller, &delivery.input.into_fields())),
            policy: delivery.policy,
            created_at_micros: tx.now().as_micros(),
            due_at_micros: delivery.due.as_micros(),
            idempotency_key: self.0.env.uuid_v4(),
            step: None,
        };
        self.append(tx, &delivery.lane, delivery.due, &record);
    }

    /// Leaves a step, in the transaction of the change that causes it.
    pub fn put_step(&self, tx: &Tx, delivery: StepDelivery) {
        let StepDelivery { lane, service, step, payload, due } = delivery;
        let record = DeliveryRecord {
            call: None,
            // A step says itself when it is over.
            policy: RetryPolicy::default(),
            created_at_micros: tx.now().as_micros(),
            due_at_micros: due.as_micros(),
            idempotency_key: self.0.env.uuid_v4(),
            step: Some(StepRecord { service: service.into(), step: step.into(), payload }),
        };
        self.append(tx, &lane, due, &record);
    }

    fn append(&self, tx: &Tx, lane: &str, due: Timestamp, record: &DeliveryRecord) {
        let inner = &*self.0;
        inner.log(lane).append_at_commit(tx, encode(record));
        inner.due().put(tx, due, (lane, inner.env.random_u64()), Vec::new());
    }

    /// The first so many deliveries that came to their end undelivered.
    pub async fn dead(&self, limit: usize) -> Result<Vec<Dead>, StoreError> {
        let table = self.0.dead_table();
        let rows =
            self.0.store.read(|tx| async move { table.list(&tx, &table.range(()), limit).await }).await?;
        let read = |(key, record): (Key, DeadRecord)| {
            let (lane, _position) = self.0.dead_table().space().unpack::<(String, u64)>(&key)?;
            let died_at = Timestamp::from_micros(record.died_at_micros);
            Ok(Dead { lane, operation: record.delivery.name(), reason: record.reason, died_at })
        };
        rows.into_iter().map(read).collect()
    }

    /// Makes deliveries as they come due, for as long as the platform runs.
    pub async fn dispatch(self, platform: Platform) {
        let mut changes = self.0.store.watch(&self.0.space.key(("due",)));
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
        let (now, by_lane, next) = inner
            .store
            .read(|tx| async move {
                inner.lease.fence(&tx).await?;
                let now = tx.now();
                let by_lane = inner.due_and_free(&tx, now).await?;
                // A cursor that found nothing stands behind what is due.
                let mut behind = DueCursor::default();
                let _nothing = inner.due().due(&tx, now, 0, &mut behind).await?;
                let next = inner.due().next_due(&tx, behind).await?;
                Ok::<_, FenceError>((now, by_lane, next))
            })
            .await?;
        for (lane, items) in by_lane {
            let Some(place) = self.take(&lane) else { continue };
            let platform = platform.clone();
            inner.env.spawn("outbox lane", async move {
                let outbox = &place.outbox;
                let work = Work { outbox, platform: &platform, lane: &place.lane };
                if let Err(failed) = work.run(items).await {
                    warn!(lane = place.lane, error = %failed, "a lane of the outbox stopped early");
                    // What made it stop would stop it again at once.
                    outbox.0.env.sleep(PAUSE).await;
                }
            });
        }
        Ok(next.filter(|next| *next > now))
    }

    /// Takes a lane to work on, if it is free and there is room.
    fn take(&self, lane: &str) -> Option<Place> {
        let mut busy = self.0.busy();
        let taken = busy.len() < LANES_MAX && busy.insert(lane.to_owned());
        taken.then(|| Place { outbox: self.clone(), lane: lane.to_owned() })
    }
}

/// A lane that is being worked on. However the work ends, by a panic too, the lane is free again.
struct Place {
    outbox: Outbox,
    lane: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.outbox.0.busy().remove(&self.lane);
        self.outbox.0.freed.notify_one();
    }
}

impl Inner {
    fn log(&self, lane: &str) -> Log {
        Log::new(self.space.key(("log", lane)))
    }

    fn due(&self) -> DueIndex {
        DueIndex::new(self.space.sub(("due",)))
    }

    fn lanes(&self) -> Table<LaneRecord> {
        Table::new(self.space.sub(("lane",)))
    }

    fn dead_table(&self) -> Table<DeadRecord> {
        Table::new(self.space.sub(("dead",)))
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The due entries of lanes that are free, in the order of becoming due: as many lanes as there is room for.
    async fn due_and_free(&self, tx: &Tx, now: Timestamp) -> Result<Vec<(String, Vec<DueItem>)>, StoreError> {
        let (busy, room) = {
            let busy = self.busy();
            (busy.clone(), LANES_MAX.saturating_sub(busy.len()))
        };
        let mut places: HashMap<String, usize> = HashMap::default();
        let mut by_lane: Vec<(String, Vec<DueItem>)> = Vec::new();
        let (mut after, mut pages) = (None, 0);
        while room > 0 && pages < PAGES_MAX {
            let items = self.due().due_after(tx, now, DUE_MAX, after.as_ref()).await?;
            let is_last = items.len() < DUE_MAX;
            after = items.last().map(|item| item.key.clone());
            for item in items {
                let (lane, _nonce) = self.due().item::<(String, u64)>(&item)?;
                match places.get(&lane) {
                    Some(at) => by_lane[*at].1.push(item),
                    None if busy.contains(&lane) || by_lane.len() == room => {}
                    None => {
                        places.insert(lane.clone(), by_lane.len());
                        by_lane.push((lane, vec![item]));
                    }
                }
            }
            if is_last || by_lane.len() == room {
                break;
            }
            pages += 1;
        }
        Ok(by_lane)
    }
}

/// Work on one lane, until it is empty or must wait.
struct Work<'a> {
    outbox: &'a Outbox,
    platform: &'a Platform,
    lane: &'a str,
}

/// The one due entry that stands for a lane while it is worked on: a crash leaves it for the next start.
#[derive(Clone, Copy)]
struct Claim {
    due: Timestamp,
    nonce: u64,
}

/// How a batch of deliveries went.
struct Progress {
    /// Everything before this position is at its end.
    done_before: u64,
    dead: Vec<(u64, DeadRecord)>,
    wait: Wait,
}

/// What the lane does next.
#[derive(Clone)]
enum Wait {
    /// Go on.
    Not,
    /// The head is not due before then.
    ForDue(Timestamp),
    /// The head failed so many times; try again then.
    ForRetry(LaneRecord),
}

impl Work<'_> {
    async fn run(&self, items: Vec<DueItem>) -> Result<(), FenceError> {
        let Some(claim) = self.claim(&items).await? else { return Ok(()) };
        loop {
            let (head, batch) = self.read().await?;
            if batch.is_empty() {
                if self.leave_if_empty(claim).await? {
                    return Ok(());
                }
                continue;
            }
            let progress = self.deliver(head, batch).await;
            let stopped = !matches!(progress.wait, Wait::Not);
            self.write(claim, progress).await?;
            if stopped {
                return Ok(());
            }
        }
    }

    /// Replaces the entries that woke the lane by one; nothing if its head waits for another attempt, whose
    /// own entry is still there.
    async fn claim(&self, items: &[DueItem]) -> Result<Option<Claim>, FenceError> {
        let inner = &self.outbox.0;
        let nonce = inner.env.random_u64();
        let transact = |tx: Tx| async move {
            inner.lease.fence(&tx).await?;
            for item in items {
                inner.due().remove(&tx, item);
            }
            let head = inner.lanes().get(&tx, (self.lane,)).await?;
            if head.is_some_and(|head| head.next_at_micros > tx.now().as_micros()) {
                return Ok(None);
            }
            let claim = Claim { due: tx.now(), nonce };
            inner.due().put(&tx, claim.due, (self.lane, nonce), Vec::new());
            Ok::<_, FenceError>(Some(claim))
        };
        inner.store.transact(transact).await
    }

    async fn read(&self) -> Result<(Option<LaneRecord>, Vec<(u64, DeliveryRecord)>), StoreError> {
        let inner = &self.outbox.0;
        let read = |tx: Tx| async move {
            let head = inner.lanes().get(&tx, (self.lane,)).await?;
            Ok::<_, StoreError>((head, inner.log(self.lane).read(&tx, 0, BATCH_MAX).await?))
        };
        let (head, rows) = inner.store.read(read).await?;
        let place = inner.space.key(("log", self.lane));
        let rows = rows.into_iter().map(|(position, bytes)| Ok((position, decode(&place, &bytes)?)));
        Ok((head, rows.collect::<Result<_, StoreError>>()?))
    }

    /// Gives the claim up, unless a delivery has come meanwhile.
    async fn leave_if_empty(&self, claim: Claim) -> Result<bool, FenceError> {
        let inner = &self.outbox.0;
        let transact = |tx: Tx| async move {
            inner.lease.fence(&tx).await?;
            let empty = inner.log(self.lane).read(&tx, 0, 1).await?.is_empty();
            if empty {
                inner.due().delete(&tx, claim.due, (self.lane, claim.nonce));
            }
            Ok::<_, FenceError>(empty)
        };
        inner.store.transact(transact).await
    }

    /// Makes the calls of a batch in order, up to the first that must wait.
    async fn deliver(&self, head: Option<LaneRecord>, batch: Vec<(u64, DeliveryRecord)>) -> Progress {
        let env = &self.outbox.0.env;
        let mut failures = head.map_or(0, |head| head.failures);
        let mut progress = Progress { done_before: batch[0].0, dead: Vec::new(), wait: Wait::Not };
        for (position, record) in batch {
            let due = Timestamp::from_micros(record.due_at_micros);
            if due > env.now() {
                progress.wait = Wait::ForDue(due);
                break;
            }
            if let Err(reason) = self.attempt(&record, failures).await {
                failures += 1;
                let now = env.now();
                let since = Timestamp::from_micros(record.created_at_micros);
                let next = match reason.again {
                    Again::ByPolicy => record.policy.next(failures, since, now),
                    Again::After(pause) => Some(now + pause),
                    Again::Never => None,
                };
                if let Some(next) = next {
                    progress.wait = Wait::ForRetry(LaneRecord { failures, next_at_micros: next.as_micros() });
                    break;
                }
                warn!(lane = self.lane, call = record.name(), reason = reason.text, "undeliverable");
                let died_at_micros = now.as_micros();
                progress
                    .dead
                    .push((position, DeadRecord { delivery: record, reason: reason.text, died_at_micros }));
            }
            failures = 0;
            progress.done_before = position + 1;
        }
        progress
    }

    async fn attempt(&self, record: &DeliveryRecord, failures: u32) -> Result<(), Failure> {
        let call = match (&record.call, &record.step) {
            (Some(call), _) => call,
            (None, Some(step)) => return self.take_step(record, step, failures).await,
            (None, None) => return Err(Failure::last("a delivery of nothing".into())),
        };
        let (operation, caller, input) = call.read(self.platform).map_err(|error| Failure::last(error.0))?;
        let request_id = Some(record.idempotency_key.as_str().into());
        let context = self.platform.context(caller, Origin::default(), request_id);
        self.platform.dispatch(operation, context, input).await.map(|_output| ()).map_err(Failure::from)
    }

    async fn take_step(
        &self,
        record: &DeliveryRecord,
        step: &StepRecord,
        failures: u32,
    ) -> Result<(), Failure> {
        let Some(own) = self.platform.step(&step.service, &step.step) else {
            return Err(Failure::last(format!("no step here is {}", record.name())));
        };
        let attempt = Attempt {
            platform: self.platform.clone(),
            id: record.idempotency_key.clone(),
            since: Timestamp::from_micros(record.created_at_micros),
            failures,
            payload: step.payload.clone(),
        };
        match own.take(attempt).await {
            StepEnd::Done => Ok(()),
            StepEnd::Again { after, reason } => Err(Failure { text: reason, again: Again::After(after) }),
            StepEnd::Dead { reason } => Err(Failure::last(reason)),
        }
    }

    /// Writes what a batch came to: one transaction for all of it.
    async fn write(&self, claim: Claim, progress: Progress) -> Result<(), FenceError> {
        let inner = &self.outbox.0;
        let progress = &progress;
        let transact = |tx: Tx| async move {
            inner.lease.fence(&tx).await?;
            inner.log(self.lane).trim(&tx, progress.done_before);
            for (position, dead) in &progress.dead {
                inner.dead_table().put(&tx, (self.lane, *position), dead);
            }
            let wake_at = match &progress.wait {
                Wait::Not => None,
                Wait::ForDue(due) => Some(*due),
                Wait::ForRetry(head) => Some(Timestamp::from_micros(head.next_at_micros)),
            };
            match &progress.wait {
                Wait::ForRetry(head) => inner.lanes().put(&tx, (self.lane,), head),
                Wait::Not | Wait::ForDue(_) => inner.lanes().delete(&tx, (self.lane,)),
            }
            if let Some(wake_at) = wake_at {
                inner.due().delete(&tx, claim.due, (self.lane, claim.nonce));
                inner.due().put(&tx, wake_at, (self.lane, claim.nonce), Vec::new());
            }
            Ok::<_, FenceError>(())
        };
        inner.store.transact(transact).await
    }
}

/// Why an attempt failed, and whether there is another.
struct Failure {
    text: String,
    again: Again,
}

enum Again {
    ByPolicy,
    After(Duration),
    Never,
}

impl Failure {
    fn last(text: String) -> Self {
        Self { text, again: Again::Never }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let again = if error.is_retryable() { Again::ByPolicy } else { Again::Never };
        Self { text: error.to_string(), again }
    }
}
