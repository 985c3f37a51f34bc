//! Rule failures to CloudWatch Logs' errors, in AWS's words where AWS's are known.

use apus_kernel::{FenceError, LaneError};
use apus_model_logs::errors;
use apus_schema::{Common, ServiceError};
use apus_store::StoreError;

/// Why something is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such group.
    NoGroup,
    /// There is no such stream.
    NoStream,
    /// There is no such filter.
    NoFilter,
    /// There is no such query.
    NoQuery,
    /// The group is there already.
    GroupExists,
    /// The stream is there already.
    StreamExists,
    /// Something given makes no sense; the text is for the caller.
    Parameter(String),
    /// The operation is not for this group.
    Operation(String),
    /// A quota; the text is for the caller.
    Limit(String),
    /// More tags than a resource may have.
    TooManyTags,
    /// The lane did not take the job.
    Lane(LaneError),
    /// The transaction did not come about; the text is for the log.
    Failed(String),
    /// An answer that somebody else gave.
    Other(Box<ServiceError>),
}

impl Refusal {
    /// Something given makes no sense.
    pub(crate) fn parameter(text: impl Into<String>) -> Self {
        Self::Parameter(text.into())
    }
}

/// A value that breaks a rule that the model does not have, in the words of those that it has.
pub(crate) fn constraint(value: impl std::fmt::Display, member: &str, rule: &str) -> Refusal {
    Refusal::Parameter(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    ))
}

pub(crate) fn invalid_token() -> Refusal {
    Refusal::parameter("The specified nextToken is invalid.")
}

/// What CloudWatch Logs has and Apus has not: refused by name.
pub(crate) fn not_supported(what: &str) -> Refusal {
    Refusal::Other(Box::new(ServiceError::common(
        Common::NotSupported,
        format!("Apus does not support {what} of CloudWatch Logs yet."),
    )))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<FenceError> for Refusal {
    fn from(error: FenceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<LaneError> for Refusal {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        let missing = errors::resource_not_found_exception;
        match refusal {
            Refusal::NoGroup => missing("The specified log group does not exist."),
            Refusal::NoStream => missing("The specified log stream does not exist."),
            Refusal::NoFilter => missing("The specified filter does not exist."),
            Refusal::NoQuery => missing("The specified query does not exist."),
            Refusal::GroupExists => {
                errors::resource_already_exists_exception("The specified log group already exists")
            }
            Refusal::StreamExists => {
                errors::resource_already_exists_exception("The specified log stream already exists")
            }
            Refusal::Parameter(text) => errors::invalid_parameter_exception(text),
            Refusal::Operation(text) => errors::invalid_operation_exception(text),
            Refusal::Limit(text) => errors::limit_exceeded_exception(text),
            Refusal::TooManyTags => {
                errors::too_many_tags_exception("A resource may have no more than 50 tags.")
            }
            Refusal::Lane(LaneError::Full) => {
                ServiceError::common(Common::Throttled, "Rate exceeded").because(LaneError::Full)
            }
            Refusal::Lane(error) => ServiceError::common(Common::Unavailable, "").because(error),
            Refusal::Failed(cause) => {
                ServiceError::common(Common::Unavailable, "The service could not write.").because(cause)
            }
            Refusal::Other(error) => *error,
        }
    }
}
