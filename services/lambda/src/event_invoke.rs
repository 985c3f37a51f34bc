//! What is to become of asynchronous invocations: how often and how long they are tried, and who hears of the end.

use apus_kernel::{Arn, Context};
use apus_model_lambda::{DestinationConfig, FunctionEventInvokeConfig, OnFailure, OnSuccess};
use apus_schema::ServiceError;
use apus_time::Timestamp;

use crate::Lambda;
use crate::destinations::check::{Purpose, check};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionReference, LATEST};
use crate::store::event_invoke::EventInvokeRecord;
use crate::store::find::find;

/// What can be told of the end of an invocation.
const DESTINATIONS: [&str; 5] = ["events", "lambda", "s3", "sns", "sqs"];

/// What a request sets; what it leaves out is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) retries_max: Option<i32>,
    pub(crate) age_secs_max: Option<i32>,
    pub(crate) destinations: Option<DestinationConfig>,
}

impl Wanted {
    /// The destinations that the request sets, in an order.
    fn targets(&self) -> impl Iterator<Item = (Purpose, String)> {
        let destinations = self.destinations.clone().unwrap_or_default();
        let success = destinations.on_success.and_then(|one| one.destination);
        let failure = destinations.on_failure.and_then(|one| one.destination);
        let all = [(Purpose::Success, success), (Purpose::Failure, failure)];
        all.into_iter()
            .filter_map(|(purpose, target)| Some((purpose, target.filter(|text| !text.is_empty())?)))
    }

    /// The configuration after the request, on top of `before`, of that function.
    pub(crate) fn apply(
        self,
        before: EventInvokeRecord,
        function: &FunctionReference,
        now: Timestamp,
    ) -> Result<EventInvokeRecord, ServiceError> {
        if self.retries_max.is_none() && self.age_secs_max.is_none() && self.destinations.is_none() {
            return Err(errors::invalid_parameter(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
        let (on_success, on_failure) = match self.destinations {
            Some(DestinationConfig { on_success, on_failure }) => (
                checked(on_success.and_then(|one| one.destination), function)?,
                checked(on_failure.and_then(|one| one.destination), function)?,
            ),
            None => (before.on_success, before.on_failure),
        };
        Ok(EventInvokeRecord {
            modified_at_micros: now.as_micros(),
            retries_max: count(self.retries_max).or(before.retries_max),
            age_secs_max: count(self.age_secs_max).or(before.age_secs_max),
            on_success,
            on_failure,
        })
    }
}

fn checked(
    destination: Option<String>,
    function: &FunctionReference,
) -> Result<Option<String>, ServiceError> {
    let Some(destination) = destination.filter(|text| !text.is_empty()) else { return Ok(None) };
    let arn = destination.parse::<Arn>().ok();
    if !arn.is_some_and(|arn| DESTINATIONS.contains(&&*arn.service)) {
        return Err(errors::invalid_destination(&destination));
    }
    let own = function.id.arn().to_string();
    let rest = destination.strip_prefix(&own);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
        return Err(errors::invalid_parameter("You can't specify the function as a destination for itself."));
    }
    Ok(Some(destination))
}

impl Lambda {
    /// Checks that the function may tell the destinations that a request sets. Whether the function is there is the
    /// transaction's to say.
    pub(crate) async fn check_destinations(
        &self,
        context: &Context,
        function: &FunctionReference,
        wanted: &Wanted,
    ) -> Result<(), ServiceError> {
        let asked = function.clone();
        let found = self.store.read(|tx| async move { find(&tx, &asked, None).await }).await;
        let Some(found) = found.map_err(Failure::from)? else { return Ok(()) };
        for (purpose, target) in wanted.targets() {
            checked(Some(target.clone()), function)?;
            check(context, &function.id, &found.record.role, &target, purpose).await?;
        }
        Ok(())
    }
}

/// A function's qualifier among the configurations.
pub(crate) fn qualifier(function: &FunctionReference) -> &str {
    function.qualifier.as_deref().unwrap_or(LATEST)
}

/// A configuration as answers show it.
pub(crate) fn describe(
    function: &FunctionReference,
    qualifier: &str,
    record: &EventInvokeRecord,
) -> FunctionEventInvokeConfig {
    FunctionEventInvokeConfig {
        last_modified: Some(Timestamp::from_micros(record.modified_at_micros)),
        function_arn: Some(function.id.qualified_arn(qualifier).to_string()),
        maximum_retry_attempts: record.retries_max.map(|number| number as i32),
        maximum_event_age_in_seconds: record.age_secs_max.map(|number| number as i32),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: record.on_success.clone() }),
            on_failure: Some(OnFailure { destination: record.on_failure.clone() }),
        }),
    }
}
