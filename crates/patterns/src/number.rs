//! Numbers as patterns compare them: by value, with so many digits after the point.

use std::cmp::Ordering;

use serde_json::Number as JsonNumber;

/// How exactly, and how far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Precision {
    pub(crate) abs_max: f64,
    pub(crate) digits: u8,
}

/// A number of a pattern or an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Exact, however large: account numbers are compared as such.
    Integer(i128),
    Real(f64),
}

impl Number {
    pub(crate) fn of(number: &JsonNumber) -> Self {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map_or_else(|| Self::Real(number.as_f64().unwrap_or(f64::NAN)), Self::Integer)
    }

    fn value(self) -> f64 {
        match self {
            Self::Integer(whole) => whole as f64,
            Self::Real(value) => value,
        }
    }

    /// Within the range in which numbers are compared.
    pub(crate) fn is_within(self, precision: Precision) -> bool {
        self.value().abs() <= precision.abs_max
    }

    /// Their order, at that precision.
    pub(crate) fn compare(self, other: Self, precision: Precision) -> Option<Ordering> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other) {
            return Some(a.cmp(&b));
        }
        let (a, b) = (self.value(), other.value());
        let scale = 10_f64.powi(precision.digits.into());
        // Beyond the range there are no digits to round to.
        let (a, b) = if self.is_within(precision) && other.is_within(precision) {
            ((a * scale).round(), (b * scale).round())
        } else {
            (a, b)
        };
        a.partial_cmp(&b)
    }

    pub(crate) fn equals(self, other: Self, precision: Precision) -> bool {
        self.compare(other, precision) == Some(Ordering::Equal)
    }
}

/// A range of numbers, open or closed at each end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NumberRange {
    /// The bound, and whether it belongs to the range.
    pub(crate) bottom: Option<(Number, bool)>,
    pub(crate) top: Option<(Number, bool)>,
}

impl NumberRange {
    pub(crate) fn contains(&self, number: Number, precision: Precision) -> bool {
        let fits = |bound: Option<(Number, bool)>, beyond: Ordering| match bound {
            None => true,
            Some((bound, included)) => match number.compare(bound, precision) {
                Some(Ordering::Equal) => included,
                Some(order) => order == beyond,
                None => false,
            },
        };
        number.is_within(precision) && fits(self.bottom, Ordering::Greater) && fits(self.top, Ordering::Less)
    }
}
