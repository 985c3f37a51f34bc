//! Preconditions: a caller that says which revision he has seen changes nothing else.

use apus_schema::ServiceError;

use crate::errors;

/// Whether the caller, if he says what he has seen, has seen the current revision.
pub(crate) fn check(seen: Option<&str>, current: &str) -> Result<(), ServiceError> {
    match seen {
        Some(seen) if seen != current => Err(errors::stale_revision()),
        _ => Ok(()),
    }
}

/// The same, where a policy is changed.
pub(crate) fn check_policy(seen: Option<&str>, current: &str) -> Result<(), ServiceError> {
    check(seen, current).map_err(|_| errors::stale_policy())
}
