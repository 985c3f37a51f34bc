//! Tags: their bounds.

use std::collections::BTreeMap;

use apus_schema::{Common, ServiceError};

use crate::errors;
use crate::limits::TAGS_MAX;

/// What names of tags may not begin with.
const RESERVED_PREFIX: &str = "aws:";
/// The longest name, in characters: the model's bound, which it does not check for names in a map.
const NAME_LENGTH_MAX: usize = 128;

/// Holds all tags of a function to their bounds; `too_many` is said of more than [`TAGS_MAX`].
pub(crate) fn check(tags: &BTreeMap<String, String>, too_many: &str) -> Result<(), ServiceError> {
    for name in tags.keys() {
        if name.starts_with(RESERVED_PREFIX) {
            let message = format!("The tag key {name} is reserved: it begins with {RESERVED_PREFIX}.");
            return Err(errors::invalid_parameter(message));
        }
        if name.is_empty() || name.chars().count() > NAME_LENGTH_MAX {
            let message = format!(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: Map keys must satisfy \
                 constraint: [Member must have length less than or equal to {NAME_LENGTH_MAX}, Member must have length \
                 greater than or equal to 1]"
            );
            return Err(ServiceError::common(Common::Validation, message));
        }
    }
    if tags.len() > TAGS_MAX { Err(errors::invalid_parameter(too_many)) } else { Ok(()) }
}
