//! Reserved concurrency: a share of the account's that a function has for itself, and cannot exceed. Provisioned
//! concurrency comes out of it, or else out of what nobody has reserved.

use apus_schema::ServiceError;

use crate::errors;

/// Invocations of all functions of an account in a region at once, unless told otherwise.
pub(crate) const ACCOUNT_MAX: u32 = 1_000;
/// What must stay for functions that reserve nothing.
pub(crate) const UNRESERVED_MIN: u32 = 100;

/// What is left for functions that have nothing for themselves, where `sum` is what the others have.
pub(crate) fn unreserved(account_max: u32, sum: i64) -> u32 {
    u32::try_from((i64::from(account_max) - sum).max(0)).unwrap_or(u32::MAX)
}

/// By how much the account's sum changes when a reservation changes, if it may. `sum` is the sum before, with `before`
/// in it; `provisioned` is the function's own provisioned concurrency, which counts where nothing is reserved.
pub(crate) fn reserve(
    sum: i64,
    before: Option<u32>,
    provisioned: u32,
    wanted: u32,
    account_max: u32,
) -> Result<i64, ServiceError> {
    if wanted < provisioned {
        return Err(errors::invalid_parameter(format!(
            " ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned concurrency \
             [{provisioned}]."
        )));
    }
    let before = before.or(Some(provisioned));
    let more = i64::from(wanted) - i64::from(before.unwrap_or(0));
    let room = i64::from(account_max.saturating_sub(UNRESERVED_MIN));
    // Whoever asks for less than before is never refused.
    if more > 0 && sum + more > room {
        return Err(errors::invalid_parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{UNRESERVED_MIN}]."
        )));
    }
    Ok(more)
}

/// By how much the account's sum changes when a version or alias of a function with that reservation is provisioned
/// with `wanted` instead of `before`, if it may; `others` is what the function's others have.
pub(crate) fn provision(
    sum: i64,
    reserved: Option<u32>,
    others: u32,
    before: u32,
    wanted: u32,
    account_max: u32,
) -> Result<i64, ServiceError> {
    if let Some(reserved) = reserved {
        if others.saturating_add(wanted) > reserved {
            return Err(errors::invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
                 function",
            ));
        }
        return Ok(0);
    }
    let more = i64::from(wanted) - i64::from(before);
    let unreserved = i64::from(account_max) - (sum - i64::from(before));
    if more > 0 && i64::from(wanted) > unreserved {
        return Err(errors::invalid_parameter(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{unreserved}]."
        )));
    }
    if more > 0 && unreserved - i64::from(wanted) < i64::from(UNRESERVED_MIN) {
        return Err(errors::invalid_parameter(format!(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{UNRESERVED_MIN}]."
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
            assert_eq!(
                reserve(sum, before, 0, wanted, ACCOUNT_MAX).ok(),
                more,
                "{wanted} after {before:?} of {sum}"
            );
        }
    }

    #[test]
    fn where_the_quota_is_small_nothing_can_be_reserved() {
        assert_eq!(reserve(0, None, 0, 0, 10).ok(), Some(0));
        assert!(reserve(0, None, 0, 1, 10).is_err());
        assert!(provision(0, None, 0, 0, 1, 10).is_err());
        assert_eq!(unreserved(1_000, 900), 100);
        assert_eq!(unreserved(100, 900), 0);
    }

    #[test]
    fn a_reservation_holds_what_is_provisioned() {
        assert_eq!(reserve(5, None, 5, 5, ACCOUNT_MAX).ok(), Some(0));
        assert_eq!(reserve(5, None, 5, 7, ACCOUNT_MAX).ok(), Some(2));
        assert_eq!(reserve(900, None, 900, 900, ACCOUNT_MAX).ok(), Some(0));
        let refused = reserve(7, Some(7), 5, 4, ACCOUNT_MAX).expect_err("too little");
        assert_eq!(
            refused.message(),
            " ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5]."
        );
    }

    #[test]
    fn what_is_provisioned_comes_out_of_the_reservation_or_of_everybodys() {
        for (sum, reserved, others, before, wanted, more) in [
            (0, None, 0, 0, 900, Ok(900)),
            (0, None, 0, 0, 901, Err("minimum value of [100].")),
            (0, None, 0, 0, 1_000, Err("minimum value of [100].")),
            (0, None, 0, 0, 1_001, Err("unreserved concurrency [1000].")),
            (500, None, 0, 0, 501, Err("unreserved concurrency [500].")),
            (500, None, 0, 100, 500, Ok(400)),
            (500, None, 0, 100, 501, Err("minimum value of [100].")),
            // A bound that was wider once.
            (950, None, 0, 300, 100, Ok(-200)),
            (10, Some(10), 0, 0, 10, Ok(0)),
            (10, Some(10), 4, 0, 6, Ok(0)),
            (10, Some(10), 4, 6, 7, Err("reservedConcurrentExecution for function")),
            (10, Some(10), 1, 0, u32::MAX, Err("reservedConcurrentExecution for function")),
        ] {
            let found = provision(sum, reserved, others, before, wanted, ACCOUNT_MAX);
            match (found, more) {
                (Ok(found), Ok(more)) => assert_eq!(found, more, "{wanted} of {sum}"),
                (Err(error), Err(end)) => assert!(error.message().ends_with(end), "{}", error.message()),
                (found, more) => panic!("{wanted} of {sum}: {found:?}, not {more:?}"),
            }
        }
    }
}
