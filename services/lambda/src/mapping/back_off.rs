//! How long to rest after one failure after another.

use std::time::Duration;

/// Doubles from `first` to `most`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl BackOff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0 }
    }

    /// The rest after another failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.first.saturating_mul(factor).min(self.most)
    }

    /// It went well: the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound_and_begin_anew() {
        let secs = Duration::from_secs;
        let mut back_off = BackOff::new(secs(1), secs(30));
        let rests: Vec<_> = (0..7).map(|_| back_off.failed().as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 30, 30]);
        for _ in 0..100 {
            assert_eq!(back_off.failed(), secs(30));
        }
        back_off.succeeded();
        assert_eq!(back_off.failed(), secs(1));
    }
}
