//! The states of a mapping, in the API's words.

use super::errors;
use crate::store::mapping::MappingRecord;
use apus_schema::ServiceError;

pub(crate) const CREATING: &str = "Creating";
pub(crate) const ENABLING: &str = "Enabling";
pub(crate) const ENABLED: &str = "Enabled";
pub(crate) const DISABLING: &str = "Disabling";
pub(crate) const DISABLED: &str = "Disabled";
pub(crate) const UPDATING: &str = "Updating";
pub(crate) const DELETING: &str = "Deleting";

/// The state between a change and its effect.
pub(crate) fn changing(before: &MappingRecord, enabled: bool) -> &'static str {
    match (before.enabled, enabled) {
        (false, true) => ENABLING,
        (true, false) => DISABLING,
        _ => UPDATING,
    }
}

/// The state when a change has taken effect; nothing if the mapping is gone then.
pub(crate) fn settled(record: &MappingRecord) -> Option<&'static str> {
    match (record.state.as_str(), record.enabled) {
        (DELETING, _) => None,
        (_, true) => Some(ENABLED),
        (_, false) => Some(DISABLED),
    }
}

/// Whether the mapping is to poll.
pub(crate) fn polls(record: &MappingRecord) -> bool {
    settled(record) == Some(ENABLED)
}

/// Refuses another change before the last one has taken effect. `what` is to be done: `update`.
pub(crate) fn check_idle(record: &MappingRecord, what: &str) -> Result<(), ServiceError> {
    match record.state.as_str() {
        ENABLED | DISABLED => Ok(()),
        _ => Err(errors::in_use(what)),
    }
}
