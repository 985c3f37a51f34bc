//! One try of an event: the step that the outbox takes for it, again and again until the event has an end.
//!
//! What an attempt leads to is written in one transaction that begins by looking whether the event is still there: a
//! step that is repeated after a crash finds that it has ended, and does nothing.

use apus_compute::InvokeRequest;
use apus_kernel::{Attempt, Caller, Context, Origin, StepEnd};
use apus_schema::ServiceError;
use apus_store::{StoreError, Tx};
use apus_time::Timestamp;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

use super::rules::{self, Attempted, Condition, Next, Patience};
use crate::destinations::invocation_record;
use crate::destinations::letter::{self, LetterRecord};
use crate::executions::observed::Begun;
use crate::function_name::{FunctionReference, LATEST};
use crate::role_sessions::PRINCIPAL;
use crate::run::{self, Ran, Run, Trigger};
use crate::store::event::{self, EventKey, EventRecord, ProgressRecord, ResponseRecord};
use crate::store::event_invoke::EventInvokeRecord;
use crate::store::execution::{self, ExecutionRecord};
use crate::store::find::{Found, find};
use crate::{Lambda, errors, event_invoke, lineage, store};

/// After the store failed, the time until the next try.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The largest response of an attempt that is kept until the event has ended, in bytes.
const RESPONSE_KEPT_BYTES_MAX: usize = 64 * 1024;

/// The step.
pub(crate) async fn attempt(lambda: Arc<Lambda>, attempt: Attempt) -> StepEnd {
    let Ok(key) = minicbor::decode::<EventKey>(&attempt.payload) else {
        return StepEnd::Dead { reason: "it names no event".into() };
    };
    match Box::pin(lambda.attempt(&attempt, &key)).await {
        Ok(end) => end,
        Err(error) => StepEnd::Again { after: STORE_PAUSE, reason: error.to_string() },
    }
}

/// What is to be known before an event is tried.
struct Situation {
    config: Option<EventInvokeRecord>,
    /// Whether there is a function of that name at all.
    exists: bool,
    found: Option<Found>,
}

/// An event on its way.
struct Tried<'a> {
    key: &'a EventKey,
    event: EventRecord,
    function: FunctionReference,
    progress: ProgressRecord,
}

impl Lambda {
    async fn attempt(&self, attempt: &Attempt, key: &EventKey) -> Result<StepEnd, StoreError> {
        let read = self.store.read(|tx| async move { event::get(&tx, key).await });
        let Some((event, progress)) = read.await? else { return Ok(StepEnd::Done) };
        let Some(function) = key.function(&event) else {
            return Ok(StepEnd::Dead { reason: "its account or region is none".into() });
        };
        let now = self.env.now();
        let not_before = Timestamp::from_micros(progress.next_at_micros);
        if not_before > now {
            let reason = "it is not time yet".into();
            return Ok(StepEnd::Again { after: not_before.since(now), reason });
        }
        let chance = run::chance(self.env.random_u64());
        let situation = self.situation(&function, chance).await?;
        let tried = Tried { key, event, function, progress };
        let patience = Patience::of(situation.config.as_ref());
        if !situation.exists {
            return self.discard(&tried, now, None, "the function was deleted").await;
        }
        if rules::is_expired(patience, tried.event.accepted_at(), now) {
            let condition = Condition::EventAgeExceeded;
            return self.discard(&tried, now, Some(condition), "the event grew too old").await;
        }
        let Some(turn) = self.gate.enter(&self.env, &tried.function.id).await else {
            let reason = "as many events run as may".into();
            return Ok(StepEnd::Again { after: rules::back_off(attempt.failures), reason });
        };
        let context = context(attempt, &tried);
        let is_shut = situation.found.as_ref().is_some_and(|found| found.reserved_concurrency == Some(0));
        let (begun, end) = self.try_now(&context, &tried, situation.found, chance).await;
        drop(turn);
        if end.is_ok() && self.compute.is_stopping() {
            // The platform may have ended it in the middle. It did not happen.
            return Ok(StepEnd::Again { after: STORE_PAUSE, reason: "the platform is stopping".into() });
        }
        let attempted = if is_shut { Attempted::Shut } else { attempted(&end) };
        self.settle(&tried, patience, attempted, begun, end).await
    }

    async fn situation(&self, function: &FunctionReference, chance: f64) -> Result<Situation, StoreError> {
        let read = self.store.read(|tx| async move {
            Ok::<_, StoreError>(Situation {
                config: store::event_invoke::get(&tx, &function.id, event_invoke::qualifier(function))
                    .await?,
                exists: store::function::get(&tx, &function.id).await?.is_some(),
                found: find(&tx, function, Some(chance)).await?,
            })
        });
        read.await
    }

    /// Runs the function, if it may run.
    async fn try_now(
        &self,
        context: &Context,
        tried: &Tried<'_>,
        found: Option<Found>,
        chance: f64,
    ) -> (Begun, Result<Ran, ServiceError>) {
        let now = self.env.now();
        let Some(found) = found else {
            return (tried.begun(now), Err(errors::function_not_found(&tried.function)));
        };
        if found.reserved_concurrency == Some(0) {
            return (tried.begun(now), Err(errors::nothing_reserved()));
        }
        let run = Run {
            function: &tried.function,
            found,
            chance,
            trigger: Trigger::Event(tried.event.by.clone()),
            request: InvokeRequest {
                request_id: tried.key.request_id.clone(),
                invoked_arn: Some(tried.function.arn().to_string()),
                payload: Bytes::from(tried.event.payload.clone()),
                client_context: tried.event.client_context.clone(),
                trace_id: tried.event.trace.clone(),
                ..InvokeRequest::default()
            },
        };
        let begun = run.begun(tried.number(), now);
        let end = match self.run_unnoted(context, run).await {
            // Nobody waits for the answer, but for the whole.
            Ok(ran) => Ok(ran.finished().await),
            Err(error) => Err(error),
        };
        (begun, end)
    }

    /// Writes what an attempt came to.
    async fn settle(
        &self,
        tried: &Tried<'_>,
        patience: Patience,
        attempted: Attempted,
        begun: Begun,
        end: Result<Ran, ServiceError>,
    ) -> Result<StepEnd, StoreError> {
        let now = self.env.now();
        let failures = tried.progress.failures();
        let next = rules::next(patience, tried.event.accepted_at(), failures, attempted, now);
        let mut execution = begun.ended(&tried.function, &end);
        let runs = tried.progress.runs + u32::from(end.is_ok());
        let response = response(end);
        match next {
            Next::End(condition) => {
                execution.ended = Some(condition.as_str().to_owned());
                let ended = Ended { condition: Some(condition), response: Some(response), runs };
                self.end(tried, &ended, &execution).await?;
                Ok(StepEnd::Done)
            }
            Next::Again(next_at, failures) => {
                let reason = execution.error_message.clone().unwrap_or_default();
                let mut last = response;
                if last.payload.len() > RESPONSE_KEPT_BYTES_MAX {
                    last.payload = Vec::new();
                }
                let progress = ProgressRecord {
                    errors: failures.errors,
                    refusals: failures.refusals,
                    next_at_micros: next_at.as_micros(),
                    last: Some(last),
                    runs,
                };
                self.go_on(tried.key, &progress, &execution).await?;
                Ok(StepEnd::Again { after: next_at.since(now), reason })
            }
        }
    }

    /// Ends an event without another try.
    async fn discard(
        &self,
        tried: &Tried<'_>,
        now: Timestamp,
        condition: Option<Condition>,
        why: &str,
    ) -> Result<StepEnd, StoreError> {
        let mut execution = tried.begun(now).discarded(&tried.function, why);
        execution.ended = Some(condition.map_or("Discarded", Condition::as_str).to_owned());
        warn!(function = %tried.function.arn(), request_id = tried.key.request_id, why, "an event was discarded");
        let Tried { progress, .. } = tried;
        let ended = Ended { condition, response: progress.last.clone(), runs: progress.runs };
        self.end(tried, &ended, &execution).await?;
        Ok(StepEnd::Done)
    }

    /// The event is over: it goes, and whoever is to hear of it will. If it has gone already, nothing happens.
    async fn end(
        &self,
        tried: &Tried<'_>,
        ended: &Ended,
        execution: &ExecutionRecord,
    ) -> Result<(), StoreError> {
        let transact = |tx: Tx| async move {
            if event::is_open(&tx, tried.key).await? {
                event::delete(&tx, tried.key);
                execution::put(&tx, execution);
                self.tell(&tx, tried, ended, execution).await?;
            }
            Ok::<_, StoreError>(())
        };
        self.store.transact(transact).await?;
        self.journal.stir();
        Ok(())
    }

    /// Leaves a letter to everybody who is to hear of the end of an event, as it is configured now.
    async fn tell(
        &self,
        tx: &Tx,
        tried: &Tried<'_>,
        ended: &Ended,
        execution: &ExecutionRecord,
    ) -> Result<(), StoreError> {
        let function = &tried.function;
        let Some(condition) = ended.condition else { return Ok(()) };
        let Some(latest) = store::function::get(tx, &function.id).await? else { return Ok(()) };
        let role = find(tx, function, None).await?.map_or(latest.role, |found| found.content().role.clone());
        let qualifier = event_invoke::qualifier(function);
        let config = store::event_invoke::get(tx, &function.id, qualifier).await?.unwrap_or_default();
        let success = condition == Condition::Success;
        let destination = if success { config.on_success } else { config.on_failure };
        let dead_letters = latest.dead_letters.filter(|_| !success);
        let event = String::from_utf8_lossy(&tried.event.payload);
        let end = invocation_record::Ended {
            request_id: &tried.key.request_id,
            function_arn: function.id.qualified_arn(qualifier).to_string(),
            condition,
            runs: ended.runs,
            event: &event,
            response: ended.response.as_ref(),
            at: tx.now(),
        };
        let record = destination.map(|target| (target, end.record(), Vec::new()));
        let dead_letter = dead_letters.map(|target| (target, event.to_string(), end.attributes()));
        for (number, (target, body, attributes)) in record.into_iter().chain(dead_letter).enumerate() {
            let letter = LetterRecord {
                target,
                body,
                attributes,
                role: role.clone(),
                account: tried.key.account.clone(),
                region: tried.key.region.clone(),
                function: function.id.name.clone(),
                ended_at_micros: tx.now().as_micros(),
                execution: execution.key(),
                trace: Some(lineage::next(&self.env, tried.event.trace.as_deref(), &function.id)),
            };
            letter::put(tx, &self.outbox, number, &letter);
        }
        Ok(())
    }

    /// The event goes on. If it has ended already, nothing happens.
    async fn go_on(
        &self,
        key: &EventKey,
        progress: &ProgressRecord,
        execution: &ExecutionRecord,
    ) -> Result<(), StoreError> {
        let transact = |tx: Tx| async move {
            if event::is_open(&tx, key).await? {
                event::put_progress(&tx, key, progress);
                execution::put(&tx, execution);
            }
            Ok::<_, StoreError>(())
        };
        self.store.transact(transact).await?;
        self.journal.stir();
        Ok(())
    }
}

/// How an event ended.
pub(crate) struct Ended {
    /// Nothing if there is nobody left to tell.
    pub(crate) condition: Option<Condition>,
    /// What the last attempt came to, if there was one.
    pub(crate) response: Option<ResponseRecord>,
    /// How often the function ran.
    pub(crate) runs: u32,
}

impl Tried<'_> {
    /// The number of the attempt, from 1.
    fn number(&self) -> u32 {
        let ProgressRecord { errors, refusals, .. } = self.progress;
        errors.saturating_add(refusals).saturating_add(1)
    }

    /// What is known of an attempt for which no version was found.
    fn begun(&self, at: Timestamp) -> Begun {
        Begun {
            request_id: self.key.request_id.clone(),
            version: self.function.qualifier.clone().unwrap_or_else(|| LATEST.to_owned()),
            memory_mb: 0,
            trigger: Trigger::Event(self.event.by.clone()),
            attempt: self.number(),
            event: Bytes::from(self.event.payload.clone()),
            at,
        }
    }
}

/// Lambda's own context, in the event's request.
fn context(attempt: &Attempt, tried: &Tried<'_>) -> Context {
    let FunctionReference { id, .. } = &tried.function;
    let caller = Caller::service(PRINCIPAL, id.account, id.region.clone());
    attempt.platform.context(caller, Origin::default(), Some(tried.key.request_id.as_str().into()))
}

fn attempted(end: &Result<Ran, ServiceError>) -> Attempted {
    match end {
        Ok(ran) if ran.outcome.function_error.is_none() => Attempted::Answered,
        Ok(_) => Attempted::Failed,
        Err(error) if errors::is_recursive(error) => Attempted::Shut,
        Err(error) if errors::passes(error) => Attempted::Refused,
        Err(_) => Attempted::Failed,
    }
}

/// What `Invoke` would have answered.
fn response(end: Result<Ran, ServiceError>) -> ResponseRecord {
    match end {
        Ok(Ran { outcome, version }) => ResponseRecord {
            status: 200,
            version: Some(version),
            function_error: outcome.function_error.map(|error| error.kind.to_owned()),
            payload: outcome.payload.to_vec(),
        },
        Err(error) => {
            let body = json!({ "errorMessage": error.message(), "errorType": error.name() });
            let payload = body.to_string().into_bytes();
            ResponseRecord { status: errors::status(&error), version: None, function_error: None, payload }
        }
    }
}
