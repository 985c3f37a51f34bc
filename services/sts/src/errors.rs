//! Rule failures, as the errors of STS's model or those that all services share.

use std::fmt;

use apus_kernel::{Arn, Principal};
use apus_model_sts::errors;
use apus_policy::ParseError;
use apus_schema::{Common, ServiceError};

use crate::policies::SESSION_POLICY_CHARACTERS_MAX;

/// Why an operation of STS fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StsError {
    InvalidArn {
        arn: String,
    },
    /// The role is not there: in the words for one that trusts others.
    NotAuthorized(Box<NotAuthorized>),
    BeyondTheRolesMaximum,
    BeyondTheChainsMaximum,
    PolicyTooLong,
    PolicyTooLarge,
    MalformedPolicy(ParseError),
}

/// Who may not become which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAuthorized {
    pub(crate) caller: Principal,
    pub(crate) role: Arn,
}

impl fmt::Display for StsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArn { arn } => write!(f, "{arn} is invalid"),
            Self::NotAuthorized(refused) => {
                let NotAuthorized { caller, role } = refused.as_ref();
                let refused = "is not authorized to perform: sts:AssumeRole on resource";
                let reason = "because no resource-based policy allows the sts:AssumeRole action";
                write!(f, "User: {caller} {refused}: {role} {reason}")
            }
            Self::BeyondTheRolesMaximum => {
                f.write_str("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
            }
            Self::BeyondTheChainsMaximum => f.write_str(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            ),
            Self::PolicyTooLong => write!(
                f,
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: \
                 Member must have length less than or equal to {SESSION_POLICY_CHARACTERS_MAX}"
            ),
            Self::PolicyTooLarge => f.write_str("The session policy does not fit a session token."),
            Self::MalformedPolicy(error) => error.fmt(f),
        }
    }
}

impl From<StsError> for ServiceError {
    fn from(error: StsError) -> Self {
        let message = error.to_string();
        match error {
            StsError::NotAuthorized(_) => Self::common(Common::AccessDenied, message),
            StsError::MalformedPolicy(_) => errors::malformed_policy_document_exception(message),
            StsError::PolicyTooLarge => errors::packed_policy_too_large_exception(message),
            StsError::InvalidArn { .. }
            | StsError::BeyondTheRolesMaximum
            | StsError::BeyondTheChainsMaximum
            | StsError::PolicyTooLong => Self::common(Common::Validation, message),
        }
    }
}

/// A member of `AssumeRole` that is refused by name.
pub(crate) fn not_supported(member: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support AssumeRole with {member} yet."))
}
