//! What a field or an expression is worth.

use std::cmp::Ordering;

use apus_time::Timestamp;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Absent,
    Boolean(bool),
    Number(f64),
    Text(String),
    /// Milliseconds since the epoch, shown as a date.
    Time(i64),
}

impl Value {
    /// As a number: texts that are one count.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Time(ms) => Some(*ms as f64),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Absent | Self::Boolean(_) => None,
        }
    }

    /// As a text; nothing if it is absent.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Boolean(flag) => Some(u8::from(*flag).to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Time(ms) => Some(date(*ms)),
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Boolean(flag) => *flag,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Time(_) => true,
        }
    }

    /// Numbers by size, all else as texts.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => self.shown().cmp(&other.shown()),
        }
    }

    /// A number that can be shown; what cannot is absent.
    pub(crate) fn of(number: f64) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Absent }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

/// `2026-11-21 10:32:40.000`, as results show times.
fn date(ms: i64) -> String {
    let text = Timestamp::from_millis(ms).to_iso8601_millis();
    text.trim_end_matches('Z').replace('T', " ")
}
