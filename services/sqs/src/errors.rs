//! Rule failures to SQS's errors, in AWS's words.
//!
//! The model lacks `InvalidParameterValue` and `MissingParameter`, which SQS still answers under the names that
//! its query protocol gave them ("Common errors" of the API reference).

use std::time::Duration;

use apus_kernel::{FenceError, LaneError};
use apus_model_sqs::errors;
use apus_schema::{Common, ErrorSchema, Kind, Schema, ServiceError};
use apus_store::StoreError;

use crate::attributes::AttributeError;
use crate::batch::{BATCH_BYTES_MAX, BatchError};
use crate::lane::IN_FLIGHT_MAX;
use crate::message::{ATTRIBUTES_MAX, MessageError};
use crate::permissions::PermissionError;
use crate::queue::CommandError;
use crate::queue_id::UrlError;
use crate::tags::TagError;

static EMPTY: Schema = Schema::new(
    "InvalidParameterValueException",
    Kind::Structure { members: &[], union: false, eventstream: false, payload: None },
);

static INVALID_PARAMETER_VALUE: ErrorSchema = ErrorSchema {
    name: "InvalidParameterValueException",
    code: "InvalidParameterValue",
    status: 400,
    query_status: 400,
    sender_fault: true,
    schema: &EMPTY,
};

static MISSING_PARAMETER: ErrorSchema = ErrorSchema {
    name: "MissingRequiredParameterException",
    code: "MissingParameter",
    status: 400,
    query_status: 400,
    sender_fault: true,
    schema: &EMPTY,
};

pub(crate) fn missing_parameter(name: &str) -> ServiceError {
    ServiceError::modelled(&MISSING_PARAMETER, format!("The request must contain the parameter {name}."))
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    ServiceError::modelled(&INVALID_PARAMETER_VALUE, message)
}

/// `Value x for parameter y is invalid. Reason: z`
pub(crate) fn invalid_value(value: &str, parameter: &str, reason: &str) -> ServiceError {
    invalid_parameter(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

/// A parameter that FIFO queues have and standard ones have not, or the other way round.
pub(crate) fn not_for_this_type(value: &str, parameter: &str) -> ServiceError {
    invalid_value(value, parameter, "The request include parameter that is not valid for this queue type.")
}

pub(crate) fn invalid_id(value: &str, parameter: &str) -> ServiceError {
    let reason =
        format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    invalid_value(value, parameter, &reason)
}

/// `Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`
pub(crate) fn out_of_bounds(value: i64, parameter: &str, min: i64, max: i64) -> ServiceError {
    let reason = format!("Must be between {min} and {max}, if provided.");
    invalid_value(&value.to_string(), parameter, &reason)
}

pub(crate) fn queue_does_not_exist() -> ServiceError {
    errors::queue_does_not_exist("The specified queue does not exist.")
}

pub(crate) fn invalid_queue_name() -> ServiceError {
    invalid_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}

/// The attributes say FIFO, the name does not.
pub(crate) fn invalid_fifo_name() -> ServiceError {
    invalid_parameter(
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
         .fifo suffix and be 1 to 80 in length.",
    )
}

/// There is no queue, or no task, of what was given as such a parameter.
pub(crate) fn no_such_resource(parameter: &str) -> ServiceError {
    errors::resource_not_found_exception(format!(
        "The resource that you specified for the {parameter} parameter doesn't exist."
    ))
}

pub(crate) fn address(error: UrlError, url: &str) -> ServiceError {
    match error {
        UrlError::NoAddress => {
            errors::invalid_address(format!("The address {url} is not valid for this endpoint."))
        }
        UrlError::NoQueue => queue_does_not_exist(),
    }
}

pub(crate) fn unknown_attribute(name: &str) -> ServiceError {
    errors::invalid_attribute_name(format!("Unknown Attribute {name}."))
}

pub(crate) fn receipt_handle_is_invalid(handle: &str) -> ServiceError {
    errors::receipt_handle_is_invalid(format!(
        "The input receipt handle \"{handle}\" is not a valid receipt handle."
    ))
}

/// What SQS has and Apus has not: refused by name.
pub(crate) fn not_supported(what: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support {what} of SQS yet."))
}

impl From<AttributeError> for ServiceError {
    fn from(error: AttributeError) -> Self {
        match error {
            AttributeError::Unknown(name) => unknown_attribute(&name),
            AttributeError::NotSupported(name) => not_supported(&format!("the attribute {name}")),
            AttributeError::Invalid(name) => {
                errors::invalid_attribute_value(format!("Invalid value for the parameter {name}."))
            }
            AttributeError::Because { name: "Policy", reason, .. } => errors::invalid_attribute_value(
                format!("Invalid value for the parameter Policy. Reason: {reason}"),
            ),
            AttributeError::Because { name, value, reason } => invalid_value(&value, name, &reason),
        }
    }
}

impl From<BatchError> for ServiceError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Empty(entry) => {
                errors::empty_batch_request(format!("There should be at least one {entry} in the request."))
            }
            BatchError::TooMany(count) => errors::too_many_entries_in_batch_request(format!(
                "Maximum number of entries per request are 10. You have sent {count}."
            )),
            BatchError::InvalidId => errors::invalid_batch_entry_id(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                 most 80 letters long.",
            ),
            BatchError::RepeatedId(id) => errors::batch_entry_ids_not_distinct(format!("Id {id} repeated.")),
            BatchError::TooLong(bytes) => errors::batch_request_too_long(format!(
                "Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {bytes} bytes."
            )),
        }
    }
}

impl From<TagError> for ServiceError {
    fn from(error: TagError) -> Self {
        match error {
            TagError::Key(key) => invalid_parameter(format!("Tag key '{key}' is not valid.")),
            TagError::Value(key) => invalid_parameter(format!("The value of the tag '{key}' is not valid.")),
            TagError::TooMany => invalid_parameter("Too many tags added for queue."),
        }
    }
}

impl From<PermissionError> for ServiceError {
    fn from(error: PermissionError) -> Self {
        match error {
            PermissionError::Value { parameter, value, reason } => invalid_value(&value, parameter, reason),
            PermissionError::Missing(name) => missing_parameter(name),
            PermissionError::TooMany(message) => errors::over_limit(message),
        }
    }
}

impl From<CommandError> for ServiceError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoQueue => queue_does_not_exist(),
            CommandError::Exists(attribute) => errors::queue_name_exists(format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            )),
            CommandError::DeletedRecently => errors::queue_deleted_recently(
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            ),
            CommandError::PurgeInProgress(name) => errors::purge_queue_in_progress(format!(
                "Only one PurgeQueue operation on {name} is allowed every 60 seconds."
            )),
            CommandError::Attribute(error) => error.into(),
            CommandError::Tag(error) => error.into(),
            CommandError::Permission(error) => error.into(),
        }
    }
}

impl From<MessageError> for ServiceError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Empty => missing_parameter("MessageBody"),
            MessageError::InvalidCharacter => errors::invalid_message_contents(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                 #xFFFD | #x10000 to #x10FFFF",
            ),
            MessageError::TooLong { bytes_max } => invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
            )),
            MessageError::TooManyAttributes(count) => invalid_parameter(format!(
                "Number of message attributes [{count}] exceeds the allowed maximum [{ATTRIBUTES_MAX}]."
            )),
            MessageError::AttributeName(name) => {
                invalid_parameter(format!("Invalid attribute name '{name}'."))
            }
            MessageError::AttributeType { name, data_type } => invalid_parameter(format!(
                "The message attribute '{name}' has an invalid message attribute type '{data_type}', the set of \
                 supported type prefixes is Binary, Number, and String."
            )),
            MessageError::AttributeEmpty(name) => invalid_parameter(format!(
                "The message attribute '{name}' must contain a non-empty message attribute value."
            )),
            MessageError::AttributeNumber { name, value } => invalid_parameter(format!(
                "Can't cast the value '{value}' of message (user) attribute '{name}' to a number."
            )),
        }
    }
}

/// Why a lane's job failed, for each of those that shared its transaction.
#[derive(Clone, Debug)]
pub(crate) enum JobError {
    /// There is no such queue.
    NoQueue,
    /// The receipt is of another queue.
    ForeignReceipt,
    /// A FIFO queue: the receipt's message is visible again, or was received anew.
    ReceiptExpired,
    /// The receipt's message is gone.
    NoSuchMessage,
    /// The receipt's message is visible again, or was received anew.
    NotInFlight,
    /// The message would be invisible for too long in all.
    InvisibleTooLong(Duration),
    /// Too many messages of the queue are in flight.
    TooManyInFlight,
    /// A message move task is under way.
    MoveRunning,
    /// The message move task is over.
    MoveNotRunning,
    /// There is no such message move task.
    NoMove,
    /// A command was refused.
    Command(CommandError),
    /// The lane did not take the job.
    Lane(LaneError),
    /// The transaction did not come about; the text is for the log.
    Failed(String),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<FenceError> for JobError {
    fn from(error: FenceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<LaneError> for JobError {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

impl From<CommandError> for JobError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

/// A job's failure, where it was about that receipt handle.
pub(crate) fn of_receipt(error: JobError, handle: &str) -> ServiceError {
    match error {
        JobError::ForeignReceipt => receipt_handle_is_invalid(handle),
        JobError::ReceiptExpired => invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."),
        JobError::NoSuchMessage => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            invalid_value(handle, "ReceiptHandle", reason)
        }
        other => other.into(),
    }
}

impl From<JobError> for ServiceError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::NoQueue => queue_does_not_exist(),
            JobError::ForeignReceipt | JobError::ReceiptExpired | JobError::NoSuchMessage => {
                errors::receipt_handle_is_invalid("The input receipt handle is not a valid receipt handle.")
            }
            JobError::NotInFlight => errors::message_not_inflight("The specified message isn't in flight."),
            JobError::InvisibleTooLong(timeout) => invalid_value(
                &timeout.as_secs().to_string(),
                "VisibilityTimeout",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            ),
            JobError::TooManyInFlight => errors::over_limit(format!(
                "Too many messages of the queue are in flight: the maximum is {IN_FLIGHT_MAX}."
            )),
            JobError::MoveRunning => invalid_parameter(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given \
                 time.",
            ),
            JobError::MoveNotRunning => {
                errors::unsupported_operation("Only active message movement tasks can be cancelled.")
            }
            JobError::NoMove => no_such_resource("TaskHandle"),
            JobError::Command(error) => error.into(),
            JobError::Lane(LaneError::Full) => {
                errors::request_throttled("Too many requests wait for this queue.")
            }
            JobError::Lane(LaneError::Gone) => Self::internal(LaneError::Gone),
            JobError::Failed(cause) => Self::internal(cause),
        }
    }
}
