//! How many environments of a function are to stand whether it is invoked or not, and when to try again after one
//! that did not come to stand.

use std::time::Duration;

use apus_time::Timestamp;

/// The rest after the first failure; it doubles with each that follows.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_mins(5);
/// After so long without one, the next failure is a first one.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// What is wanted of one function.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) wanted: usize,
    /// Whether the last start came to nothing.
    pub(super) failing: bool,
    failures: u32,
    last_failure: Option<Timestamp>,
    /// No start before then.
    pub(super) next_try: Option<Timestamp>,
}

impl Target {
    /// So many are wanted, which is a reason to try at once.
    pub(super) fn wish(&mut self, wanted: usize) {
        (self.wanted, self.failing, self.next_try) = (wanted, false, None);
    }

    /// One could not be started, or died before it was of any use. Those that were started beside it and fail like it
    /// are the same failure.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failing = true;
        if self.next_try.is_some() {
            return;
        }
        if self.last_failure.is_none_or(|last| now.since(last) >= FORGOTTEN_AFTER) {
            self.failures = 0;
        }
        let rest = REST_FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(REST_MAX);
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
        self.next_try = Some(now + rest);
    }

    /// One has come to stand.
    pub(super) fn succeeded(&mut self) {
        self.failing = false;
    }

    /// Whether a start has to wait. A rest that is over is forgotten.
    pub(super) fn rests(&mut self, now: Timestamp) -> bool {
        self.next_try = self.next_try.filter(|at| now < *at);
        self.next_try.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound_and_begin_anew_after_a_quiet_time() {
        let mut target = Target::default();
        let mut now = Timestamp::from_secs(1_000);
        let mut rests = Vec::new();
        for _ in 0..11 {
            assert!(!target.rests(now));
            target.failed(now);
            target.failed(now);
            assert!(target.rests(now) && target.failing);
            let until = target.next_try.expect("a rest");
            rests.push(until.since(now).as_secs());
            now = until;
        }
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        target.succeeded();
        assert!(!target.rests(now) && !target.failing);
        now = now + FORGOTTEN_AFTER;
        target.failed(now);
        assert_eq!(target.next_try, Some(now + REST_FIRST));
    }
}
