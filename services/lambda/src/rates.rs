//! How many synchronous invocations a second: ten times as many as may be under way at once, of a function with a
//! reservation by that, of all others together by the account's quota.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apus_compute::Pace;
use apus_kernel::{AccountId, Region};
use apus_schema::ServiceError;
use apus_time::Timestamp;

use crate::errors::{self, ThrottledBy};
use crate::function_name::FunctionId;

/// Invocations a second for each that may be under way.
const RATE: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Functions whose rates are held; with one more, those go that were not invoked for a second.
const FUNCTIONS: usize = 10_000;

/// The invocations of the current second.
#[derive(Default)]
pub(crate) struct Rates {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    functions: BTreeMap<FunctionId, Pace>,
    accounts: BTreeMap<(AccountId, Region), Pace>,
}

impl Rates {
    /// Counts an invocation of a function with that reservation, or refuses it.
    pub(crate) fn take(
        &self,
        now: Timestamp,
        id: &FunctionId,
        reserved: Option<u32>,
        account_max: u32,
    ) -> Result<(), ServiceError> {
        let Held { functions, accounts } = &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if functions.len() >= FUNCTIONS && !functions.contains_key(id) {
            functions.retain(|_, pace| pace.count(now, SECOND) > 0);
        }
        let own = functions.entry(id.clone()).or_insert_with(|| Pace::new(now));
        let place = (id.account, id.region.clone());
        let all = accounts.entry(place).or_insert_with(|| Pace::new(now));
        let max = |concurrency: u32| concurrency.saturating_mul(RATE);
        // Of a function for which nothing is reserved the concurrency says no.
        let (own_max, by) = match reserved {
            Some(reserved) => (max(reserved.max(1)), ThrottledBy::ReservedRate),
            None => (max(account_max), ThrottledBy::FunctionRate),
        };
        if own.count(now, SECOND) >= own_max {
            return Err(errors::throttled(by));
        }
        if all.count(now, SECOND) >= max(account_max) {
            return Err(errors::throttled(ThrottledBy::CallerRate));
        }
        own.note(now, SECOND);
        all.note(now, SECOND);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> FunctionId {
        FunctionId { account: AccountId::DEVELOPMENT, region: Region::default(), name: name.into() }
    }

    #[test]
    fn each_second_has_its_own_count() {
        let rates = Rates::default();
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let take = |millis, name, reserved| rates.take(at(millis), &function(name), reserved, 3);
        let reason = |refused: Result<(), ServiceError>| {
            let error = refused.expect_err("too many");
            assert!(errors::is_throttled(&error));
            let reason = error.fields().clone();
            format!("{reason:?}")
        };
        for _ in 0..20 {
            take(0, "reserved", Some(2)).expect("room");
        }
        let refused = reason(take(999, "reserved", Some(2)));
        assert!(refused.contains("ReservedFunctionInvocationRateLimitExceeded"), "{refused}");
        for _ in 0..10 {
            take(0, "other", None).expect("room");
        }
        let refused = reason(take(0, "other", None));
        assert!(refused.contains("\"CallerRateLimitExceeded\""), "{refused}");
        take(1_000, "reserved", Some(2)).expect("another second");
        for _ in 0..29 {
            take(1_000, "other", None).expect("room");
        }
        assert!(take(1_000, "other", None).is_err());
        for _ in 0..30 {
            take(2_000, "other", None).expect("room");
        }
        let refused = reason(take(2_000, "other", None));
        assert!(refused.contains("\"FunctionInvocationRateLimitExceeded\""), "{refused}");
    }
}
