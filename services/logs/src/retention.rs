//! How long a group keeps its events.

use std::time::Duration;

use apus_time::Timestamp;

use crate::errors::{Refusal, constraint};
use crate::store::GroupRecord;

/// The days that AWS allows.
const DAYS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288,
    3_653,
];
const SECS_PER_DAY: u64 = 86_400;

/// A number of days that AWS allows.
pub(crate) fn check(days: i32) -> Result<i32, Refusal> {
    if DAYS.contains(&days) {
        return Ok(days);
    }
    let allowed: Vec<_> = DAYS.iter().map(ToString::to_string).collect();
    let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
    Err(constraint(days, "retentionInDays", &rule))
}

/// So many days.
pub(crate) fn duration(days: i32) -> Duration {
    Duration::from_secs(u64::from(days.unsigned_abs()) * SECS_PER_DAY)
}

/// Events before this moment are no longer there, whether they are deleted already or not.
pub(crate) fn kept_from_ms(group: &GroupRecord, now: Timestamp) -> i64 {
    group.retention_days.map_or(0, |days| (now - duration(days)).as_millis().max(0))
}
