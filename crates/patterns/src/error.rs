//! Why a pattern is refused.

use std::fmt;

/// Why a pattern is refused: what is wrong in AWS's words, and where in the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    reason: String,
    /// The keys that lead there.
    path: Vec<String>,
}

impl PatternError {
    pub(crate) fn new(reason: impl Into<String>, path: &[&str]) -> Self {
        Self { reason: reason.into(), path: path.iter().map(|key| (*key).to_owned()).collect() }
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, " (at {})", self.path.join(".")) }
    }
}

impl std::error::Error for PatternError {}
