//! When an event is tried again, and when it is over. Knows no store and no clock.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::time::Duration;

use apus_time::Timestamp;

use crate::store::event_invoke::EventInvokeRecord;

/// `MaximumRetryAttempts` where none is set.
const RETRIES_DEFAULT: u32 = 2;
/// `MaximumEventAgeInSeconds` where none is set: six hours.
const AGE_SECS_DEFAULT: u32 = 21_600;
/// The pause after the first error of a function; after the second it is twice that.
const ERROR_PAUSE: Duration = Duration::from_mins(1);
/// The pause after the first time that the function could not run; it doubles.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const BACK_OFF_MAX: Duration = Duration::from_mins(5);

/// How often and how long events of a function, version or alias are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Attempts after the first that failed.
    pub(crate) retries_max: u32,
    /// How old an event may grow.
    pub(crate) age_max: Duration,
}

impl Patience {
    /// That of a configuration; Lambda's own without one.
    pub(crate) fn of(config: Option<&EventInvokeRecord>) -> Self {
        let retries_max = config.and_then(|config| config.retries_max).unwrap_or(RETRIES_DEFAULT);
        let age_secs = config.and_then(|config| config.age_secs_max).unwrap_or(AGE_SECS_DEFAULT);
        Self { retries_max, age_max: Duration::from_secs(age_secs.into()) }
    }

    /// When an event is too old.
    fn expiry(&self, accepted_at: Timestamp) -> Timestamp {
        accepted_at + self.age_max
    }
}

/// What has become of an event's attempts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// The function failed, or there was something wrong with it.
    pub(crate) errors: u32,
    /// It could not run: for lack of concurrency, or by a fault of the platform.
    pub(crate) refusals: u32,
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempted {
    /// The function answered.
    Answered,
    /// The function failed, or cannot run as it is configured.
    Failed,
    /// The function could not run now.
    Refused,
    /// The function may never run: nothing is reserved for it.
    Shut,
}

/// How an event ended, in the words of invocation records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is over.
    End(Condition),
    /// Another attempt, no earlier than then; the failures until now.
    Again(Timestamp, Failures),
}

/// Whether an event is too old to be tried.
pub(crate) fn is_expired(patience: Patience, accepted_at: Timestamp, now: Timestamp) -> bool {
    now >= patience.expiry(accepted_at)
}

/// What follows from an attempt that ended now. An event that would be too old for another ends when it is.
pub(crate) fn next(
    patience: Patience,
    accepted_at: Timestamp,
    before: Failures,
    attempted: Attempted,
    now: Timestamp,
) -> Next {
    let Failures { errors, refusals } = before;
    let (pause, failures) = match attempted {
        Attempted::Answered => return Next::End(Condition::Success),
        Attempted::Shut => return Next::End(Condition::RetriesExhausted),
        Attempted::Failed if errors >= patience.retries_max => return Next::End(Condition::RetriesExhausted),
        Attempted::Failed => (ERROR_PAUSE * (errors + 1), Failures { errors: errors + 1, refusals }),
        Attempted::Refused => (back_off(refusals), Failures { errors, refusals: refusals.saturating_add(1) }),
    };
    Next::Again((now + pause).min(patience.expiry(accepted_at)), failures)
}

/// The pause after the function could not run, which it could not so many times before.
pub(crate) fn back_off(before: u32) -> Duration {
    let doubled = 1_u32.checked_shl(before).and_then(|times| BACK_OFF_MIN.checked_mul(times));
    doubled.map_or(BACK_OFF_MAX, |pause| pause.min(BACK_OFF_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Patience = Patience { retries_max: 2, age_max: Duration::from_hours(6) };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// The seconds at which an event that is accepted at 0 is tried, if each attempt ends at once; and its end.
    fn attempts(patience: Patience, how: impl Fn(usize) -> Attempted) -> (Vec<i64>, Condition) {
        let (mut now, mut failures, mut tried) = (at(0), Failures::default(), Vec::new());
        loop {
            if is_expired(patience, at(0), now) {
                return (tried, Condition::EventAgeExceeded);
            }
            let attempted = how(tried.len());
            tried.push(now.as_secs());
            match next(patience, at(0), failures, attempted, now) {
                Next::End(condition) => return (tried, condition),
                Next::Again(again, more) => (now, failures) = (again, more),
            }
        }
    }

    #[test]
    fn errors_are_retried_after_one_minute_and_after_two_more() {
        use Attempted::{Answered, Failed};
        use Condition::{EventAgeExceeded, RetriesExhausted, Success};
        let patience = |retries_max, secs| Patience { retries_max, age_max: Duration::from_secs(secs) };
        for (patience, how, tried, end) in [
            (DEFAULT, vec![Answered], vec![0], Success),
            (DEFAULT, vec![Failed, Answered], vec![0, 60], Success),
            (DEFAULT, vec![Failed; 3], vec![0, 60, 180], RetriesExhausted),
            (patience(1, 21_600), vec![Failed; 3], vec![0, 60], RetriesExhausted),
            (patience(0, 21_600), vec![Failed; 3], vec![0], RetriesExhausted),
            (patience(2, 180), vec![Failed; 3], vec![0, 60], EventAgeExceeded),
            (patience(2, 181), vec![Failed; 3], vec![0, 60, 180], RetriesExhausted),
            (patience(2, 60), vec![Failed; 3], vec![0], EventAgeExceeded),
        ] {
            assert_eq!(attempts(patience, |number| how[number]), (tried, end), "{patience:?} {how:?}");
        }
    }

    #[test]
    fn refusals_are_retried_ever_more_slowly_until_the_event_is_too_old() {
        let (tried, end) = attempts(DEFAULT, |_| Attempted::Refused);
        assert_eq!(tried[..10], [0, 1, 3, 7, 15, 31, 63, 127, 255, 511]);
        assert_eq!(tried[10..13], [811, 1_111, 1_411]);
        assert_eq!((end, tried.last()), (Condition::EventAgeExceeded, Some(&21_511)));
    }

    #[test]
    fn refusals_use_no_retry_up() {
        use Attempted::{Failed, Refused};
        let how = [Failed, Refused, Refused, Failed, Refused, Failed];
        let (tried, end) = attempts(DEFAULT, |number| how[number]);
        assert_eq!((tried, end), (vec![0, 60, 61, 63, 183, 187], Condition::RetriesExhausted));
    }

    #[test]
    fn a_function_that_may_never_run_is_not_tried_again() {
        assert_eq!(attempts(DEFAULT, |_| Attempted::Shut), (vec![0], Condition::RetriesExhausted));
    }

    #[test]
    fn back_off_has_no_end_but_its_bound() {
        assert_eq!(
            [0, 1, 8, 9, 31, 32, u32::MAX].map(|n| back_off(n).as_secs()),
            [1, 2, 256, 300, 300, 300, 300]
        );
    }
}
