//! Reserved concurrency: a share of the account's that a function has for itself, and cannot exceed.

use apus_schema::ServiceError;

use crate::errors;

/// Invocations of all functions of an account in a region at once.
pub(crate) const ACCOUNT_MAX: u32 = 1_000;
/// What must stay for functions that reserve nothing.
pub(crate) const UNRESERVED_MIN: u32 = 100;

/// By how much the account's sum of reservations changes when one changes, if it may. `sum` is the sum before,
/// with `before` in it.
pub(crate) fn reserve(sum: i64, before: Option<u32>, wanted: u32) -> Result<i64, ServiceError> {
    let more = i64::from(wanted) - i64::from(before.unwrap_or(0));
    let room = i64::from(ACCOUNT_MAX - UNRESERVED_MIN);
    // Whoever asks for less than before is never refused.
    if more > 0 && sum + more > room {
        return Err(errors::invalid_parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{UNRESERVED_MIN}]."
        )));
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_stay_for_everybody() {
        for (sum, before, wanted, more) in [
            (0, None, 0, Some(0)),
            (0, None, 900, Some(900)),
            (0, None, 901, None),
            (0, None, u32::MAX, None),
            (880, None, 20, Some(20)),
            (881, None, 20, None),
            (900, Some(900), 900, Some(0)),
            (900, Some(300), 301, None),
            (900, Some(300), 299, Some(-1)),
            // A bound that was wider once.
            (950, Some(300), 100, Some(-200)),
        ] {
            assert_eq!(reserve(sum, before, wanted).ok(), more, "{wanted} after {before:?} of {sum}");
        }
    }
}
