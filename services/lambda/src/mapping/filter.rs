//! Filter criteria: a record is the function's business if it matches one of the patterns.

use apus_patterns::{Dialect, Pattern};
use apus_schema::ServiceError;
use serde_json::Value;

use super::errors;

/// AWS's quota on the filters of a mapping.
const FILTERS_MAX: usize = 5;

/// Patterns that were read; none match everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Criteria(Vec<Pattern>);

impl Criteria {
    /// Reads patterns.
    pub(crate) fn parse(patterns: &[String]) -> Result<Self, ServiceError> {
        if patterns.len() > FILTERS_MAX {
            return Err(errors::too_many_filters(FILTERS_MAX));
        }
        let parsed = patterns.iter().map(|text| Pattern::parse(text, &Dialect::EVENT_SOURCE_MAPPING));
        parsed.collect::<Result<_, _>>().map(Self).map_err(|error| errors::invalid_filter(&error))
    }

    /// Whether there is anything to match.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn match_record(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(record))
    }
}
