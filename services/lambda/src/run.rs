//! Running a version of a function once, for whoever wants it run: a caller who waits, the queue of events, a part
//! of the platform. Whether it may be run is asked before, by who knows in whose name.

use std::sync::Arc;

use apus_compute::{FunctionKey, InvokeOutcome, InvokeRequest};
use apus_kernel::Context;
use apus_schema::ServiceError;
use apus_time::Timestamp;
use bytes::Bytes;
use tracing::warn;

use crate::errors::{self, Failure};
use crate::executions::observed::Begun;
use crate::function_name::FunctionReference;
use crate::store::find::{Found, find};
use crate::unpacked::LoadError;
use crate::{Lambda, environment, lineage, readiness};

/// Changes of a version that one invocation runs into.
const CHANGES_MAX: usize = 8;

/// An invocation to be made.
pub(crate) struct Run<'a> {
    /// The function, as it was named.
    pub(crate) function: &'a FunctionReference,
    /// The version that the name leads to.
    pub(crate) found: Found,
    /// By which an alias chose it: from 0 to below 1, of [`chance`].
    pub(crate) chance: f64,
    pub(crate) trigger: Trigger,
    pub(crate) request: InvokeRequest,
}

/// What makes an invocation, and who: for its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody who waits for the answer.
    Sync(String),
    /// An event that this one sent.
    Event(String),
    /// A part of the platform, by the name of its principal: `sqs.amazonaws.com` for a queue's messages.
    Service(String),
}

impl Trigger {
    /// The kind and the principal.
    pub(crate) fn into_names(self) -> (&'static str, String) {
        match self {
            Self::Sync(by) => ("sync", by),
            Self::Event(by) => ("event", by),
            Self::Service(by) => ("service", by),
        }
    }
}

/// An invocation that was made.
#[derive(Clone)]
pub(crate) struct Ran {
    pub(crate) outcome: InvokeOutcome,
    /// The version that ran: `$LATEST` or a number.
    pub(crate) version: String,
}

impl Ran {
    /// Waits for extensions that go on after the runtime has answered: the log and the figures are whole then.
    pub(crate) async fn finished(self) -> Self {
        Self { outcome: self.outcome.finished().await, ..self }
    }
}

impl Lambda {
    /// Runs a function for a part of the platform, with an event that is JSON: nobody is asked for permission.
    pub(crate) async fn run_for_platform(
        &self,
        context: &Context,
        function: &FunctionReference,
        by: String,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<Ran, ServiceError> {
        let chance = chance(self.env.random_u64());
        let asked = function.clone();
        let found = self.store.read(|tx| async move { find(&tx, &asked, Some(chance)).await });
        let found =
            found.await.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(function))?;
        let request = InvokeRequest {
            request_id: context.request_id.to_string(),
            invoked_arn: Some(function.arn().to_string()),
            payload,
            trace_id: trace,
            ..InvokeRequest::default()
        };
        self.run(context, Run { function, found, chance, trigger: Trigger::Service(by), request }).await
    }

    /// Runs the version, says which it was, and notes the execution. An error means that the function did not run.
    pub(crate) async fn run(&self, context: &Context, run: Run<'_>) -> Result<Ran, ServiceError> {
        let (function, begun) = (run.function, run.begun(1, self.env.now()));
        let end = self.run_unnoted(context, run).await;
        match &end {
            Ok(ran) if ran.outcome.unfinished.is_some() => {
                let (journal, function, ran) = (Arc::clone(&self.journal), function.clone(), ran.clone());
                self.env.spawn("execution to be noted", async move {
                    journal.note(begun.ended(&function, &Ok(ran.finished().await)));
                });
            }
            _ => self.journal.note(begun.ended(function, &end)),
        }
        end
    }

    /// The same for who keeps the record himself. A version that was changed while its code was looked for is looked
    /// up again: no change loses a call.
    pub(crate) async fn run_unnoted(&self, context: &Context, run: Run<'_>) -> Result<Ran, ServiceError> {
        let Run { function, mut found, chance, mut request, .. } = run;
        let id = &function.id;
        if !found.may_recurse && lineage::is_recursive(request.trace_id.as_deref(), id) {
            warn!(function = %id.name, trace = request.trace_id, "a function that leads to itself was stopped");
            return Err(errors::recursive());
        }
        request.trace_id = Some(lineage::next(&self.env, request.trace_id.as_deref(), id));
        for _ in 0..CHANGES_MAX {
            readiness::check_invocable(&found)?;
            let (version, record) = (&found.version, found.content());
            let retire = |key: &FunctionKey| self.compute.retire(key);
            match self.unpacked_or_gone(function, record).await {
                Ok((code, layers)) => {
                    let session = self.sessions.get(context, id, version, record, retire).await?;
                    let spec = environment::spec(self, id, &found, session, code, layers);
                    let outcome = self.compute.invoke(spec, request).await.map_err(errors::invoke_error)?;
                    for note in &outcome.notes {
                        warn!(function = %id.name, note, "about this environment");
                    }
                    return Ok(Ran { outcome, version: found.version });
                }
                Err(LoadError::Refused(error)) => return Err(error),
                Err(LoadError::Gone) => {
                    let asked = function.clone();
                    let again = self.store.read(|tx| async move { find(&tx, &asked, Some(chance)).await });
                    let again = again.await.map_err(Failure::from)?;
                    found = again.ok_or_else(|| errors::function_not_found(function))?;
                }
            }
        }
        Err(errors::function_not_found(function))
    }
}

impl Run<'_> {
    /// What is known of it before it ends.
    pub(crate) fn begun(&self, attempt: u32, at: Timestamp) -> Begun {
        Begun {
            request_id: self.request.request_id.clone(),
            version: self.found.version.clone(),
            memory_mb: self.found.content().memory_mb,
            trigger: self.trigger.clone(),
            attempt,
            event: self.request.payload.clone(),
            at,
        }
    }
}

/// A number from 0 to below 1, in steps that it can hold exactly.
pub(crate) fn chance(random: u64) -> f64 {
    const STEPS: u32 = 53;
    (random >> (u64::BITS - STEPS)) as f64 / (1_u64 << STEPS) as f64
}
