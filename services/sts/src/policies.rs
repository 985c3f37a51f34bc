//! Session policies: checked when a session is asked for, sealed into its token, weighed by the authorizer.

use apus_policy::{Kind, Limits, Policy};

use crate::errors::StsError;

/// Characters of a session policy.
pub(crate) const SESSION_POLICY_CHARACTERS_MAX: usize = 2_048;

/// Checks a session policy; how much of the room for it it takes, in percent.
pub(crate) fn check_session_policy(document: &str) -> Result<i32, StsError> {
    let characters = document.chars().count();
    if characters > SESSION_POLICY_CHARACTERS_MAX {
        return Err(StsError::PolicyTooLong);
    }
    Policy::parse(document, Kind::Identity, Limits::NONE).map_err(StsError::MalformedPolicy)?;
    Ok((characters * 100).div_ceil(SESSION_POLICY_CHARACTERS_MAX) as i32)
}
