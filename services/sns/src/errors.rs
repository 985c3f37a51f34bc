//! Rule failures to SNS's errors, in AWS's words.

use apus_kernel::FenceError;
use apus_model_sns::errors;
use apus_schema::{Common, ServiceError};
use apus_store::StoreError;

use crate::message::MessageError;
use crate::permissions::PermissionError;
use crate::tags::TagError;

/// Why a parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParameterError {
    /// What stands behind `Invalid parameter: `.
    Invalid(String),
    /// SNS has it; Apus does not support it.
    NotSupported(String),
}

impl ParameterError {
    /// `Invalid parameter: Subject`
    pub(crate) fn plain(what: &str) -> Self {
        Self::Invalid(what.to_owned())
    }

    /// `Invalid parameter: TopicArn Reason: …`
    pub(crate) fn because(parameter: &str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{parameter} Reason: {reason}"))
    }

    /// The same, of an attribute that was given among others: `Attributes Reason: FilterPolicy: …`
    pub(crate) fn among_attributes(self) -> Self {
        match self {
            Self::Invalid(text) if !text.starts_with("Attribute") => Self::because("Attributes", text),
            other => other,
        }
    }
}

impl From<ParameterError> for ServiceError {
    fn from(error: ParameterError) -> Self {
        match error {
            ParameterError::Invalid(text) => {
                errors::invalid_parameter_exception(format!("Invalid parameter: {text}"))
            }
            ParameterError::NotSupported(what) => not_supported(&what),
        }
    }
}

pub(crate) fn not_supported(what: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support {what} of SNS yet."))
}

pub(crate) fn no_topic() -> ServiceError {
    errors::not_found_exception("Topic does not exist")
}

/// A topic that is missing as tags' operations have it.
pub(crate) fn as_resource(error: ServiceError) -> ServiceError {
    if error.is(&errors::NOT_FOUND_EXCEPTION) {
        return errors::resource_not_found_exception("Resource does not exist");
    }
    error
}

pub(crate) fn no_subscription() -> ServiceError {
    errors::not_found_exception("Subscription does not exist")
}

impl From<TagError> for ServiceError {
    fn from(error: TagError) -> Self {
        match error {
            TagError::Key => ParameterError::because("Tags", "A tag's key is not valid").into(),
            TagError::Value => ParameterError::because("Tags", "A tag's value is not valid").into(),
            TagError::Repeated => ParameterError::because("Tags", "Duplicated keys are not allowed.").into(),
            TagError::TooMany => errors::tag_limit_exceeded_exception(
                "Could not complete request: tag quota of per resource exceeded",
            ),
        }
    }
}

impl From<PermissionError> for ServiceError {
    fn from(error: PermissionError) -> Self {
        match error {
            PermissionError::Exists => ParameterError::plain("Statement already exists").into(),
            PermissionError::NoLabel => errors::not_found_exception("Label does not exist"),
            PermissionError::Label => ParameterError::plain("Label").into(),
            PermissionError::Action(name) => {
                ParameterError::plain(&format!("Policy statement action out of service scope! ({name})"))
                    .into()
            }
            PermissionError::Account(text) => {
                ParameterError::because("AWSAccountId", format!("{text} is no account")).into()
            }
            PermissionError::Empty(name) => ParameterError::plain(name).into(),
            PermissionError::TooMany => ParameterError::because("Policy", "too many statements").into(),
        }
    }
}

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller's mistake.
    Refused(ServiceError),
    /// The store's; the text is for the log.
    Failed(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<FenceError> for Failure {
    fn from(error: FenceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<TagError> for Failure {
    fn from(error: TagError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<PermissionError> for Failure {
    fn from(error: PermissionError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Failed(cause) => Self::internal(cause),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Failed(cause) => f.write_str(cause),
        }
    }
}

impl From<MessageError> for ServiceError {
    fn from(error: MessageError) -> Self {
        let value = errors::invalid_parameter_value_exception;
        match error {
            MessageError::Parameter(error) => error.into(),
            MessageError::AttributeName(name) => value(format!("Invalid attribute name '{name}'.")),
            MessageError::AttributeType(name) => value(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type \
                 prefixes is Binary, Number, and String."
            )),
            MessageError::AttributeEmpty { name, data_type } => value(format!(
                "The message attribute '{name}' must contain non-empty message attribute value for message attribute \
                 type '{data_type}'."
            )),
            MessageError::AttributeNumber(name) => {
                value(format!("Could not cast message attribute '{name}' value to number."))
            }
            MessageError::AttributeArray(name) => value(format!(
                "The message attribute '{name}' is of type String.Array and its value is no JSON array of strings, \
                 numbers, booleans and nulls."
            )),
        }
    }
}
