//! Rule failures, as the errors of IAM's model.

use apus_model_iam::errors;
use apus_policy::ParseError;
use apus_schema::{Common, ServiceError};
use apus_store::StoreError;

use crate::role::RoleError;

/// Why an operation of IAM fails.
#[derive(Debug)]
pub(crate) enum IamError {
    Role(RoleError),
    Malformed(ParseError),
    Store(StoreError),
}

impl From<RoleError> for IamError {
    fn from(error: RoleError) -> Self {
        Self::Role(error)
    }
}

impl From<ParseError> for IamError {
    fn from(error: ParseError) -> Self {
        Self::Malformed(error)
    }
}

impl From<StoreError> for IamError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<IamError> for ServiceError {
    fn from(error: IamError) -> Self {
        match error {
            IamError::Role(error) => of_role(&error),
            IamError::Malformed(error) => errors::malformed_policy_document_exception(error.to_string()),
            IamError::Store(error @ StoreError::Conflict { .. }) => {
                let message = "Multiple requests to change this object were submitted simultaneously.";
                errors::concurrent_modification_exception(message).because(error)
            }
            IamError::Store(error) => Self::internal(error),
        }
    }
}

fn of_role(error: &RoleError) -> ServiceError {
    let message = error.to_string();
    match error {
        RoleError::TrustPolicyTooLong | RoleError::InlinePoliciesTooLong { .. } | RoleError::TooManyRoles => {
            errors::limit_exceeded_exception(message)
        }
        RoleError::AlreadyExists { .. } => errors::entity_already_exists_exception(message),
        RoleError::NotFound { .. } | RoleError::PolicyNotFound { .. } => {
            errors::no_such_entity_exception(message)
        }
        RoleError::HasPolicies => errors::delete_conflict_exception(message),
        RoleError::RepeatedTagKey | RoleError::ReservedTagKey => errors::invalid_input_exception(message),
        RoleError::InvalidMarker => ServiceError::common(Common::Validation, message),
    }
}
