//! What is wrong with a mapping, in AWS's words as far as they are known.

use apus_patterns::PatternError;
use apus_schema::ServiceError;

use crate::errors::invalid_parameter;

fn user(error: ServiceError) -> ServiceError {
    error.with("Type", "User")
}

pub(crate) fn no_mapping() -> ServiceError {
    user(apus_model_lambda::errors::resource_not_found_exception(
        "The resource you requested does not exist.",
    ))
}

/// Another change has not taken effect yet. `what` is to be done: `update`.
pub(crate) fn in_use(what: &str) -> ServiceError {
    user(apus_model_lambda::errors::resource_in_use_exception(format!(
        "Cannot {what} the event source mapping because it is in use."
    )))
}

pub(crate) fn exists(source: &str, function: &str, uuid: &str) -> ServiceError {
    user(apus_model_lambda::errors::resource_conflict_exception(format!(
        "An event source mapping with SQS arn (\" {source} \") and function (\" {function} \") already exists. Please \
         update or delete the existing mapping with UUID {uuid}"
    )))
}

pub(crate) fn unknown_source() -> ServiceError {
    invalid_parameter("Unrecognized event source.")
}

pub(crate) fn other_region(source: &str, region: &str) -> ServiceError {
    invalid_parameter(format!("The event source {source} is not in the function's region ({region})."))
}

/// A member that means something for other kinds of source only.
pub(crate) fn not_for_this_source(member: &str) -> ServiceError {
    invalid_parameter(format!("Unsupported {member} parameter for given event source mapping type."))
}

pub(crate) fn window_needed() -> ServiceError {
    invalid_parameter(
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    )
}

pub(crate) fn no_window_for_fifo() -> ServiceError {
    invalid_parameter("Batching window is not supported for FIFO queues")
}

pub(crate) fn batch_too_large_for_fifo(max: i32) -> ServiceError {
    invalid_parameter(format!("Batch size must be at most {max} for FIFO queues"))
}

pub(crate) fn out_of_bounds(value: i32, member: &str, min: i32, max: i32) -> ServiceError {
    invalid_parameter(format!("{member} is {value}, and must be from {min} to {max}."))
}

pub(crate) fn too_many_filters(max: usize) -> ServiceError {
    invalid_parameter(format!("Filter criteria can have at most {max} filters."))
}

pub(crate) fn invalid_filter(error: &PatternError) -> ServiceError {
    invalid_parameter(format!("Invalid filter pattern definition. {error}"))
}

pub(crate) fn empty_filter() -> ServiceError {
    invalid_parameter("Invalid filter pattern definition. A filter needs a pattern.")
}

pub(crate) fn role_may_not(operation: &str) -> ServiceError {
    invalid_parameter(format!(
        "The provided execution role does not have permissions to call {operation} on SQS"
    ))
}

pub(crate) fn no_queue(cause: ServiceError) -> ServiceError {
    invalid_parameter(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
         Message: The specified queue does not exist.",
    )
    .because(cause)
}

pub(crate) fn visibility_too_short(visibility_secs: u64, timeout_secs: u32) -> ServiceError {
    invalid_parameter(format!(
        "Queue visibility timeout: {visibility_secs} seconds is less than Function timeout: {timeout_secs} seconds"
    ))
}
