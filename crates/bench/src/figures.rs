//! Samples of one quantity, and how they are shown: always minimum, median and 99th percentile.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// Samples of one quantity.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    unit: &'static str,
    samples: Vec<f64>,
}

impl Figures {
    pub(crate) fn new(unit: &'static str) -> Self {
        Self { unit, samples: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn of(unit: &'static str, samples: Vec<f64>) -> Self {
        Self { unit, samples }
    }

    pub(crate) fn push(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    /// In milliseconds.
    pub(crate) fn push_ms(&mut self, span: Duration) {
        self.push(span.as_secs_f64() * 1e3);
    }

    pub(crate) fn extend(&mut self, samples: impl IntoIterator<Item = f64>) {
        self.samples.extend(samples);
    }

    /// The sample that so many of a hundred do not exceed; not a number if there is none.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last * percent).div_ceil(100)).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "unit": self.unit, "min": self.percentile(0), "p50": self.median(), "p99": self.percentile(99), "samples": self.samples.len() })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, median, high] = [0, 50, 99].map(|percent| number(self.percentile(percent)));
        write!(f, "{min} / {median} / {high} {} (n {})", self.unit, self.samples.len())
    }
}

/// Three digits that mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let figures = Figures::of("ms", (1..=200).rev().map(f64::from).collect());
        let shown = [0, 50, 99, 100].map(|percent| number(figures.percentile(percent)));
        assert_eq!(shown, ["1.00", "101", "199", "200"]);
        assert_eq!(number(Figures::of("ms", vec![3.0]).percentile(99)), "3.00");
        assert!(Figures::new("ms").median().is_nan());
    }
}
