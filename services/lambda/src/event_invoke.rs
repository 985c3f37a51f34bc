//! What is to become of asynchronous invocations: how often and how long they are tried, and who hears of the end.

use apus_kernel::Arn;
use apus_model_lambda::{DestinationConfig, FunctionEventInvokeConfig, OnFailure, OnSuccess};
use apus_schema::ServiceError;
use apus_time::Timestamp;

use crate::errors;
use crate::function_name::{FunctionReference, LATEST};
use crate::store::event_invoke::EventInvokeRecord;

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
    if !arn.is_some_and(|arn| DESTINATIONS.contains(&arn.service.as_str())) {
        return Err(errors::invalid_parameter(format!("The destination ARN {destination} is invalid.")));
    }
    let own = function.id.arn().to_string();
    let rest = destination.strip_prefix(&own);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
        return Err(errors::invalid_parameter("You can't specify the function as a destination for itself."));
    }
    Ok(Some(destination))
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
