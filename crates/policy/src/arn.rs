//! Resource names as patterns: each of their six fields matches on its own.

use crate::Context;
use crate::pattern::{Pattern, Syntax};

/// `arn:partition:service:region:account:resource`, where the resource may hold colons.
const FIELDS: usize = 6;

/// A pattern for resource names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    /// `*`: whatever it is.
    All,
    /// Field by field: a wildcard does not reach over a colon, except in the last.
    Fields(Vec<Pattern>),
}

impl ArnPattern {
    /// Reads `*` or a resource name; missing fields at its end are any (IAM's reference, "Resource").
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, &'static str> {
        let pattern = Pattern::parse(text, syntax)?;
        if pattern.is_any() {
            return Ok(Self::All);
        }
        if !text.starts_with("arn:") && !text.starts_with("arn*") {
            return Err("no resource name");
        }
        let mut fields = pattern.split_colons(FIELDS);
        fields.resize_with(FIELDS, Pattern::any);
        Ok(Self::Fields(fields))
    }

    pub(crate) fn matches(&self, name: &str, context: &Context) -> bool {
        let Self::Fields(patterns) = self else { return true };
        let fields: Vec<&str> = name.splitn(FIELDS, ':').collect();
        fields.len() == FIELDS
            && patterns.iter().zip(fields).all(|(pattern, field)| pattern.matches(field, context))
    }
}

/// The account of a resource name; nothing if it names none.
pub(crate) fn account(name: &str) -> Option<&str> {
    name.split(':').nth(4).filter(|account| is_account(account))
}

/// Whether it is twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
