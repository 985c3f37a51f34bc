//! How many batches may be handled at once: more for as long as all of them are busy, fewer after failures.
//!
//! The figures are AWS's for standard queues: five at first, three hundred more a minute, and "gradually fewer" where
//! the function fails or is throttled.

use std::time::Duration;

use apus_time::Timestamp;

/// Batches at once for a source that was idle.
const START: usize = 5;
/// How many more after each [`STEP`] in which all were busy.
const GROWTH: usize = 5;
const STEP: Duration = Duration::from_secs(1);
/// The most for one mapping without a bound of its own.
const MAX: usize = 1_250;
/// Failures within this time are one.
const CUT_PAUSE: Duration = Duration::from_secs(1);

/// The current bound of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    limit: usize,
    /// Since when all are busy.
    busy_since: Option<Timestamp>,
    cut_at: Option<Timestamp>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { limit: START, busy_since: None, cut_at: None }
    }
}

impl Scaling {
    /// The bound while so many are busy; it grows by a step where it was reached for so long.
    pub(crate) fn limit(&mut self, busy: usize, now: Timestamp) -> usize {
        if busy < self.limit {
            self.busy_since = None;
        } else if *self.busy_since.get_or_insert(now) + STEP <= now {
            self.limit = (self.limit + GROWTH).min(MAX);
            self.busy_since = None;
        }
        self.limit
    }

    /// When the bound grows if all stay busy.
    pub(crate) fn grows_at(&self) -> Option<Timestamp> {
        self.busy_since.filter(|_| self.limit < MAX).map(|since| since + STEP)
    }

    /// A batch failed, or was throttled.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        if self.cut_at.is_none_or(|at| at + CUT_PAUSE <= now) {
            self.limit = (self.limit / 2).max(1);
            self.cut_at = Some(now);
            self.busy_since = None;
        }
    }

    /// The source had nothing more.
    pub(crate) fn ran_dry(&mut self) {
        self.limit = self.limit.min(START);
        self.busy_since = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_millis(millis)
    }

    #[test]
    fn it_grows_by_three_hundred_a_minute_while_all_are_busy() {
        let mut scaling = Scaling::default();
        assert_eq!(scaling.limit(5, at(0)), 5);
        assert_eq!(scaling.grows_at(), Some(at(1_000)));
        assert_eq!(scaling.limit(5, at(999)), 5);
        assert_eq!(scaling.limit(5, at(1_000)), 10);
        // Not all are busy any more: the time does not count.
        assert_eq!(scaling.limit(9, at(5_000)), 10);
        assert_eq!(scaling.limit(10, at(6_000)), 10);
        assert_eq!(scaling.limit(10, at(6_999)), 10);
        let mut now = 7_000;
        while scaling.limit(scaling.limit, at(now)) < MAX {
            // The new ones are busy at once.
            scaling.limit(scaling.limit, at(now));
            now += 1_000;
        }
        assert_eq!((now - 7_000) / 1_000, 247, "five a second");
        assert_eq!(scaling.grows_at(), None);
        scaling.ran_dry();
        assert_eq!(scaling.limit(0, at(9_000_001)), START);
    }

    proptest! {
        #[test]
        fn it_is_never_nothing_nor_beyond_its_bounds(events in prop::collection::vec((0..4_u8, 0..3_000_u64), 1..200)) {
            let (mut scaling, mut now, mut before) = (Scaling::default(), 0, START);
            for (event, passes) in events {
                now += passes;
                match event {
                    0 => scaling.failed(at(now)),
                    1 => scaling.ran_dry(),
                    _ => {
                        let limit = scaling.limit(before, at(now));
                        prop_assert!((1..=MAX).contains(&limit));
                        before = limit;
                    }
                }
            }
        }
    }
}
