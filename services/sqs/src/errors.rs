//! Rule failures to SQS's errors, in AWS's words.
//!
//! The model lacks `InvalidParameterValue` and `MissingParameter`, which SQS still answers under the names that
//! its query protocol gave them ("Common errors" of the API reference).

use apus_kernel::{FenceError, LaneError};
use apus_model_sqs::errors;
use apus_schema::{Common, ErrorSchema, Kind, Schema, ServiceError};
use apus_store::StoreError;

use crate::message::{ATTRIBUTES_MAX, MessageError};
use crate::queue::AttributeError;
use crate::traffic::TrafficError;

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

pub(crate) fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    ServiceError::modelled(&INVALID_PARAMETER_VALUE, message)
}

/// `Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`
pub(crate) fn out_of_bounds(value: i64, parameter: &str, min: i64, max: i64) -> ServiceError {
    invalid_parameter(format!(
        "Value {value} for parameter {parameter} is invalid. Reason: Must be between {min} and {max}, if provided."
    ))
}

pub(crate) fn queue_does_not_exist() -> ServiceError {
    errors::queue_does_not_exist("The specified queue does not exist.")
}

pub(crate) fn invalid_queue_name() -> ServiceError {
    invalid_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}

pub(crate) fn receipt_handle_is_invalid(handle: &str) -> ServiceError {
    errors::receipt_handle_is_invalid(format!(
        "The input receipt handle \"{handle}\" is not a valid receipt handle."
    ))
}

pub(crate) fn queue_name_exists(attribute: &str) -> ServiceError {
    errors::queue_name_exists(format!(
        "A queue already exists with the same name and a different value for attribute {attribute}"
    ))
}

/// What SQS has and Apus has not: refused by name.
pub(crate) fn not_supported(what: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support {what} of SQS yet."))
}

impl From<AttributeError> for ServiceError {
    fn from(error: AttributeError) -> Self {
        match error {
            AttributeError::Unknown(name) | AttributeError::ReadOnly(name) => {
                errors::invalid_attribute_name(format!("Unknown Attribute {name}."))
            }
            AttributeError::NotSupported(name) => not_supported(&format!("the attribute {name}")),
            AttributeError::Invalid(name) => {
                errors::invalid_attribute_value(format!("Invalid value for the parameter {name}."))
            }
        }
    }
}

impl From<MessageError> for ServiceError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Empty => {
                Self::modelled(&MISSING_PARAMETER, "The request must contain the parameter MessageBody.")
            }
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

impl From<JobError> for ServiceError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::NoQueue => queue_does_not_exist(),
            JobError::ForeignReceipt => {
                errors::receipt_handle_is_invalid("The receipt handle is of another queue.")
            }
            JobError::Failed(cause) => Self::internal(cause),
        }
    }
}

impl From<TrafficError> for ServiceError {
    fn from(error: TrafficError) -> Self {
        match error {
            TrafficError::Job(error) => error.into(),
            TrafficError::Lane(LaneError::Full) => {
                errors::request_throttled("Too many requests wait for this queue.")
            }
            TrafficError::Lane(LaneError::Gone) => Self::internal(LaneError::Gone),
        }
    }
}
