//! The poller: does what [`Flow`] decides, for any kind of source.
//!
//! Records are polled for as the function's execution role, filtered, and handed to the function in batches; what was
//! handled is the source's to forget. A poll under way is let go when the mapping is to rest; batches under way are
//! always ended.

use std::future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{Arn, BoxFuture, Caller, Context, Origin, Platform};
use apus_schema::ServiceError;
use apus_time::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::back_off::BackOff;
use super::filter::Criteria;
use super::flow::{End, Flow, Step};
use super::id::MappingId;
use super::keeper::Mappings;
use super::response::{self, Verdict};
use super::role::RoleCaller;
use super::source::{Record, Source};
use super::sqs::SqsSource;
use super::{batch, settings, state};
use crate::errors::{self, Failure};
use crate::role_sessions::{PRINCIPAL, role_error};
use crate::store::find::find;
use crate::store::mapping::{self, MappingRecord};
use crate::{Lambda, lineage};

/// The rest before a batch is tried again for which the function had no room.
const THROTTLED_MIN: Duration = Duration::from_millis(100);
const THROTTLED_MAX: Duration = Duration::from_secs(1);
/// The rest after a failure of the store.
const REST: Duration = Duration::from_secs(1);

/// What a mapping's tasks share.
pub(crate) struct Poller {
    lambda: Arc<Lambda>,
    platform: Platform,
    id: MappingId,
    source: Box<dyn Source>,
    role: RoleCaller,
}

/// What a batch's task tells the poller.
enum Told {
    Throttled,
    Ended { lanes: Vec<String>, end: End },
}

/// What is wanted, read once.
struct Wish {
    record: Arc<MappingRecord>,
    criteria: Criteria,
}

type Polling = BoxFuture<'static, Result<Vec<Record>, String>>;

/// Polls for the mapping until it is gone.
pub(crate) async fn run(poller: Arc<Poller>, mut wanted: watch::Receiver<Arc<MappingRecord>>) {
    let env = poller.lambda.env.clone();
    let _farewell = Farewell(&poller);
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut wish = poller.wish(&wanted.borrow_and_update());
    let mut flow = Flow::new(settings::limits(&wish.record));
    steer(&mut flow, &wish.record);
    let (mut poll, mut is_settled): (Option<Polling>, _) = (None, false);
    loop {
        let wake_at = loop {
            match flow.next(env.now()) {
                Step::Poll { limit } => poll = Some(poller.clone().poll(wish.record.clone(), limit)),
                Step::Invoke(batch) => poller.start(&wish.record, batch, &tell).await,
                Step::Wait(until) => break until,
            }
        };
        if !is_settled && (state::polls(&wish.record) || flow.is_at_rest()) {
            poller.settle(&wish.record).await;
            is_settled = true;
            if state::settled(&wish.record).is_none() {
                return;
            }
        }
        tokio::select! {
            biased;
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
                wish = poller.wish(&wanted.borrow_and_update());
                steer(&mut flow, &wish.record);
                if !state::polls(&wish.record) {
                    poll = None;
                }
                is_settled = false;
            }
            Some(told) = told.recv() => match told {
                Told::Throttled => flow.throttled(env.now()),
                Told::Ended { lanes, end } => flow.ended(lanes.iter().map(String::as_str), end, env.now()),
            },
            polled = pending(&mut poll) => {
                poll = None;
                match polled {
                    Ok(records) => {
                        let was_empty = records.is_empty();
                        flow.polled(poller.sift(&wish, records), was_empty, env.now());
                    }
                    Err(problem) => {
                        debug!(mapping = poller.id.uuid, problem, "a poll failed");
                        poller.mappings().note_problem(&poller.id, problem);
                        flow.poll_failed(env.now());
                    }
                }
            }
            () = until(&env, wake_at) => {}
        }
    }
}

fn steer(flow: &mut Flow, record: &MappingRecord) {
    if state::polls(record) { flow.go(settings::limits(record)) } else { flow.pause() }
}

/// The poll under way; for ever, if there is none.
async fn pending(poll: &mut Option<Polling>) -> Result<Vec<Record>, String> {
    match poll {
        Some(poll) => poll.await,
        None => future::pending().await,
    }
}

async fn until(env: &Env, at: Option<Timestamp>) {
    match at {
        Some(at) => env.sleep_until(at).await,
        None => future::pending().await,
    }
}

impl Poller {
    /// A poller for a mapping, or why there is none for its source.
    pub(crate) fn new(
        lambda: Arc<Lambda>,
        platform: Platform,
        id: MappingId,
        record: &MappingRecord,
    ) -> Result<Self, String> {
        let source = match record.source.parse::<Arn>() {
            Ok(arn) if arn.service == "sqs" => Box::new(SqsSource::new(lambda.env.clone(), arn)),
            _ => return Err(format!("PROBLEM: {} cannot be polled by this release", record.source)),
        };
        Ok(Self { lambda, platform, id, source, role: RoleCaller::default() })
    }

    fn wish(&self, record: &Arc<MappingRecord>) -> Wish {
        let patterns = record.filters.as_deref().unwrap_or_default();
        // What was kept was read before; a release that reads less lets everything through rather than lose it.
        let criteria = Criteria::parse(patterns).unwrap_or_else(|error| {
            warn!(mapping = self.id.uuid, %error, "filter criteria that cannot be read any more");
            Criteria::default()
        });
        Wish { record: Arc::clone(record), criteria }
    }

    fn mappings(&self) -> &Mappings {
        &self.lambda.mappings
    }

    /// The poll as a future of its own, with the words for `LastProcessingResult` if it fails.
    fn poll(self: Arc<Self>, record: Arc<MappingRecord>, limit: usize) -> Polling {
        Box::pin(async move {
            let as_role = self.as_role(&record).await?;
            let polled = self.source.poll(&as_role, limit).await;
            polled.map_err(|error| {
                self.role.forget();
                self.source.problem(&error)
            })
        })
    }

    /// A call as the function's execution role.
    async fn as_role(&self, record: &MappingRecord) -> Result<Context, String> {
        let function = record.function(&self.id);
        let asked = function.clone();
        let found = self.lambda.store.read(|tx| async move { find(&tx, &asked, None).await }).await;
        let found = found
            .map_err(Failure::from)
            .map_err(ServiceError::from)
            .and_then(|found| found.ok_or_else(|| errors::function_not_found(&function)));
        let context = match found {
            Ok(found) => {
                let role = &found.content().role;
                self.role.context(&self.platform, &function.id, role).await.map_err(role_error)
            }
            Err(error) => Err(error),
        };
        context.map_err(|error| format!("PROBLEM: {}", error.message()))
    }

    /// The records that are the function's business; the others are done.
    fn sift(self: &Arc<Self>, wish: &Wish, records: Vec<Record>) -> Vec<Record> {
        if wish.criteria.is_empty() {
            return records;
        }
        let (wanted, others): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| wish.criteria.match_record(&self.source.filtered_as(record)));
        if !others.is_empty() {
            let (poller, record) = (Arc::clone(self), Arc::clone(&wish.record));
            self.lambda.env.spawn("filtered records", async move {
                poller.done(&record, &others).await;
            });
        }
        wanted
    }

    /// Hands a batch to the function. It is begun here, so that the function is entered before anything else is
    /// polled for; a task of its own ends it.
    async fn start(
        self: &Arc<Self>,
        record: &Arc<MappingRecord>,
        batch: Vec<Record>,
        tell: &mpsc::UnboundedSender<Told>,
    ) {
        let mut lanes: Vec<String> = batch.iter().filter_map(|record| record.lane.clone()).collect();
        lanes.dedup();
        let (poller, record) = (Arc::clone(self), Arc::clone(record));
        let slot = Slot { lanes, end: End::Failed, tell: tell.clone() };
        let mut work: BoxFuture<'static, ()> = Box::pin(async move {
            let end = poller.handle(&record, &batch, &slot.tell).await;
            slot.close(end);
        });
        let begun = future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        if begun.is_pending() {
            self.lambda.env.spawn("batch of events", work);
        }
    }

    async fn handle(
        &self,
        record: &MappingRecord,
        batch: &[Record],
        tell: &mpsc::UnboundedSender<Told>,
    ) -> End {
        let mut invoked = self.invoke(record, batch, tell).await;
        let rest;
        let mut batch = batch;
        if let Err(error) = &invoked
            && errors::is_recursive(error)
        {
            // Those that their trace has led here too often stay the source's; the others are none of it.
            self.mappings().note_problem(&self.id, format!("PROBLEM: {}", error.message()));
            rest = batch::without_loops(batch, &record.function(&self.id).id);
            batch = &rest;
            if batch.is_empty() {
                return End::Failed;
            }
            invoked = self.invoke(record, batch, tell).await;
        }
        let problem = match invoked {
            Ok(Verdict::Done) => return self.done(record, batch).await,
            Ok(Verdict::Partial(failed)) => {
                let done: Vec<_> =
                    batch.iter().filter(|record| !failed.contains(&record.id)).cloned().collect();
                return self.done(record, &done).await;
            }
            Ok(Verdict::Failed) => "PROBLEM: Function call failed".to_owned(),
            Err(error) => format!("PROBLEM: {}", error.message()),
        };
        self.mappings().note_problem(&self.id, problem);
        End::Failed
    }

    /// Invokes the function with the batch. Where it has no room, or the platform fails, it is tried again for as long
    /// as the records are held.
    async fn invoke(
        &self,
        record: &MappingRecord,
        batch: &[Record],
        tell: &mpsc::UnboundedSender<Told>,
    ) -> Result<Verdict, ServiceError> {
        let env = &self.lambda.env;
        let function = record.function(&self.id);
        let event = batch::event(batch);
        let traces = batch.iter().filter_map(|record| record.trace.as_deref());
        let trace = lineage::longest(traces, &function.id).map(str::to_owned);
        let held_until = batch.iter().map(|record| record.held_until).min().unwrap_or(Timestamp::MAX);
        let mut back_off = BackOff::new(THROTTLED_MIN, THROTTLED_MAX);
        loop {
            let caller = Caller::service(PRINCIPAL, self.id.account, self.id.region.clone());
            let context = self.platform.context(caller, Origin::default(), None);
            let by = format!("{}.amazonaws.com", self.source.service());
            let (event, trace) = (event.clone(), trace.clone());
            let invoked = self.lambda.run_for_platform(&context, &function, by, event, trace).await;
            match invoked.map(|ran| ran.outcome) {
                Ok(outcome) if outcome.function_error.is_some() => return Ok(Verdict::Failed),
                Ok(outcome) if record.reports_failures => {
                    let ids = batch.iter().map(|record| record.id.as_str());
                    return Ok(response::verdict(&outcome.payload, ids));
                }
                Ok(_) => return Ok(Verdict::Done),
                Err(error) if errors::passes(&error) => {
                    let rest = back_off.failed();
                    // The poller hears of it as long as it lives.
                    let _gone = tell.send(Told::Throttled);
                    self.mappings().note_problem(&self.id, format!("PROBLEM: {}", error.message()));
                    if env.now() + rest >= held_until {
                        return Err(error);
                    }
                    env.sleep(rest).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the source that these are done. If it does not hear of it, they come again.
    async fn done(&self, record: &MappingRecord, records: &[Record]) -> End {
        if records.is_empty() {
            return End::Handled;
        }
        let told = match self.as_role(record).await {
            Ok(as_role) => {
                let done = self.source.done(&as_role, records).await;
                done.map_err(|error| {
                    self.role.forget();
                    self.source.problem(&error)
                })
            }
            Err(problem) => Err(problem),
        };
        match told {
            Ok(()) => {
                self.mappings().note_success(&self.id);
                End::Handled
            }
            Err(problem) => {
                self.mappings().note_problem(&self.id, problem);
                End::Failed
            }
        }
    }

    /// Writes down that what was wanted has taken effect, unless something else is wanted by now.
    async fn settle(&self, wanted: &MappingRecord) {
        let id = &self.id;
        loop {
            let settled = self.lambda.store.transact(|tx| async move {
                let Some(before) = mapping::get(&tx, id).await? else { return Ok(()) };
                if before.revision == wanted.revision {
                    match state::settled(&before) {
                        None => mapping::delete(&tx, id, &before),
                        Some(state) if state != before.state => {
                            let record = MappingRecord { state: state.to_owned(), ..before.clone() };
                            mapping::put(&tx, id, Some(&before), &record);
                        }
                        Some(_) => {}
                    }
                }
                Ok::<_, Failure>(())
            });
            match settled.await {
                Ok(()) => break,
                Err(failure) => {
                    let error = ServiceError::from(failure);
                    warn!(mapping = id.uuid, %error, "the state of an event source mapping waits");
                    self.lambda.env.sleep(REST).await;
                }
            }
        }
    }
}

/// Tells the keeper of the poller's end: the mapping is gone, or is to have another one.
struct Farewell<'a>(&'a Poller);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.mappings().changed(&self.0.id);
    }
}

/// A batch's place among those at once. However its task ends, the poller hears of it.
struct Slot {
    lanes: Vec<String>,
    end: End,
    tell: mpsc::UnboundedSender<Told>,
}

impl Slot {
    fn close(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (lanes, end) = (std::mem::take(&mut self.lanes), self.end);
        // A poller that is gone counts nothing.
        let _gone = self.tell.send(Told::Ended { lanes, end });
    }
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("id", &self.id).finish_non_exhaustive()
    }
}
