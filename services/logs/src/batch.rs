//! What a batch of events may be, and which of its events are taken: rules without I/O.

use std::time::Duration;

use apus_time::Timestamp;

use crate::errors::Refusal;

/// The most bytes of a batch, counted as UTF-8 and [`EVENT_OVERHEAD_BYTES`] for each event.
pub(crate) const BATCH_BYTES_MAX: usize = 1_048_576;
/// What each event counts beside its message.
pub(crate) const EVENT_OVERHEAD_BYTES: usize = 26;
/// The longest message, in bytes.
pub(crate) const EVENT_BYTES_MAX: usize = 1_048_576 - EVENT_OVERHEAD_BYTES;
/// The valid events of a batch lie within so much.
const SPAN_MAX: Duration = Duration::from_hours(24);
/// Events further in the future are rejected.
const AHEAD_MAX: Duration = Duration::from_hours(2);
/// Events that are older are rejected.
const AGE_MAX: Duration = Duration::from_hours(14 * 24);

/// An event as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) time_ms: i64,
    pub(crate) message: String,
}

/// Which events of a batch are not taken, as indexes into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// From here on they are too far in the future.
    pub(crate) too_new_from: Option<usize>,
    /// Before this they are too old.
    pub(crate) too_old_before: Option<usize>,
    /// Before this they are older than the group's retention.
    pub(crate) expired_before: Option<usize>,
}

impl Rejected {
    /// The events that are taken.
    pub(crate) fn taken(&self, count: usize) -> std::ops::Range<usize> {
        let from = self.too_old_before.max(self.expired_before).unwrap_or(0);
        from..self.too_new_from.unwrap_or(count).max(from)
    }
}

/// What makes a batch no batch, whatever the group: its size and order.
pub(crate) fn check(events: &[Given]) -> Result<(), Refusal> {
    let mut bytes = 0;
    for event in events {
        let length = event.message.len();
        if length > EVENT_BYTES_MAX {
            let (length, max) = (length + EVENT_OVERHEAD_BYTES, EVENT_BYTES_MAX + EVENT_OVERHEAD_BYTES);
            return Err(Refusal::Parameter(format!(
                "Log event too large: {length} bytes exceeds limit of {max}"
            )));
        }
        bytes += length + EVENT_OVERHEAD_BYTES;
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(Refusal::Parameter(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.time_ms) {
        return Err(Refusal::parameter(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    Ok(())
}

/// Which events of a batch in order are taken by a group with that retention.
pub(crate) fn judge(
    events: &[Given],
    now: Timestamp,
    retention: Option<Duration>,
) -> Result<Rejected, Refusal> {
    let (ahead, aged) = ((now + AHEAD_MAX).as_millis(), (now - AGE_MAX).as_millis());
    let expired = retention.map(|retention| (now - retention).as_millis());
    let before = |bound: i64| events.partition_point(|event| event.time_ms < bound);
    let some = |count: usize| (count > 0).then_some(count);
    let too_new = events.partition_point(|event| event.time_ms <= ahead);
    let rejected = Rejected {
        too_new_from: (too_new < events.len()).then_some(too_new),
        too_old_before: some(before(aged)),
        // What is too old for anybody is not said to be expired as well.
        expired_before: expired.filter(|bound| *bound > aged).and_then(|bound| some(before(bound))),
    };
    let taken = &events[rejected.taken(events.len())];
    if let (Some(first), Some(last)) = (taken.first(), taken.last())
        && last.time_ms - first.time_ms > SPAN_MAX.as_millis() as i64
    {
        return Err(Refusal::parameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(rejected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 1_000 * DAY;

    fn batch(times: &[i64]) -> Vec<Given> {
        times.iter().map(|time| Given { time_ms: NOW + time, message: "x".into() }).collect()
    }

    fn judged(times: &[i64], days: Option<u64>) -> Result<Rejected, Refusal> {
        let retention = days.map(|days| Duration::from_secs(days * 86_400));
        judge(&batch(times), Timestamp::from_millis(NOW), retention)
    }

    #[test]
    fn what_is_too_old_too_new_or_expired_is_told_and_the_rest_is_taken() {
        let hour = DAY / 24;
        let rejected = judged(
            &[-15 * DAY, -14 * DAY, -14 * DAY + hour, 2 * hour - DAY * 14, 0, 2 * hour, 2 * hour + 1],
            None,
        );
        assert!(rejected.is_err(), "the valid events span more than a day");
        let rejected = judged(&[-15 * DAY, -hour, 0, 2 * hour, 2 * hour + 1], Some(7)).ok();
        let expected = Rejected { too_new_from: Some(4), too_old_before: Some(1), expired_before: Some(1) };
        assert_eq!(rejected, Some(expected));
        let rejected = judged(&[-3 * DAY, -DAY - 1, -DAY, 0], Some(1)).ok();
        assert_eq!(rejected, Some(Rejected { expired_before: Some(2), ..Rejected::default() }));
        assert_eq!(judged(&[-15 * DAY], None).ok().map(|rejected| rejected.taken(1)), Some(1..1));
        assert_eq!(judged(&[3 * hour], None).ok().map(|rejected| rejected.taken(1)), Some(0..0));
        assert_eq!(judged(&[-DAY, 0], None).ok(), Some(Rejected::default()));
        assert!(judged(&[-DAY - 1, 0], None).is_err());
    }

    #[test]
    fn sizes_and_order_are_bounded() {
        let with = |count, length| vec![Given { time_ms: 1, message: "x".repeat(length) }; count];
        let most = BATCH_BYTES_MAX / 1_024;
        assert!(check(&with(most, 1_024 - EVENT_OVERHEAD_BYTES)).is_ok());
        assert!(check(&with(most + 1, 1_024 - EVENT_OVERHEAD_BYTES)).is_err());
        assert!(check(&with(1, EVENT_BYTES_MAX)).is_ok());
        assert!(check(&with(1, EVENT_BYTES_MAX + 1)).is_err());
        assert!(check(&batch(&[1, 1, 2])).is_ok());
        assert!(check(&batch(&[2, 1])).is_err());
    }

    proptest! {
        #[test]
        fn taken_are_exactly_those_within_the_bounds(
            mut times in prop::collection::vec(-20 * DAY..DAY, 0..40),
            days in prop::option::of(1_u64..30),
        ) {
            times.sort_unstable();
            let Ok(rejected) = judged(&times, days) else { return Ok(()) };
            let taken = rejected.taken(times.len());
            for (at, time) in times.iter().enumerate() {
                let oldest = -(days.map_or(14, |days| days.min(14)) as i64) * DAY;
                let valid = *time >= oldest && *time <= DAY / 12;
                prop_assert_eq!(valid, taken.contains(&at), "{}", time);
            }
        }
    }
}
