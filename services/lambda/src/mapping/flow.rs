//! The decisions of a poller: when to poll and for how much, what goes into a batch, and how many are handled at once.
//!
//! Pure: `now` is an argument, and what happens is told by method calls. [`super::poller`] does what it says.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use apus_time::Timestamp;

use super::back_off::BackOff;
use super::scaling::Scaling;
use super::source::Record;

/// The rest after a failed poll.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);

/// The bounds of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most records of a batch.
    pub(crate) records: usize,
    /// The most bytes of a batch's records.
    pub(crate) bytes: usize,
    /// How long a batch is gathered, from its first record on.
    pub(crate) window: Duration,
    /// The most batches at once; nothing leaves it to the scaling.
    pub(crate) concurrency: Option<usize>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Poll for at most so many records, and tell [`Flow::polled`] or [`Flow::poll_failed`].
    Poll { limit: usize },
    /// Handle these, and tell [`Flow::ended`].
    Invoke(Vec<Record>),
    /// Nothing, until something happens or it is that time.
    Wait(Option<Timestamp>),
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it, or some, was handled.
    Handled,
    /// The function failed, or never ran.
    Failed,
}

/// One mapping's state between two decisions.
#[derive(Debug)]
pub(crate) struct Flow {
    limits: Limits,
    paused: bool,
    polling: bool,
    /// Resting from failed polls until then.
    rest_until: Option<Timestamp>,
    back_off: BackOff,
    scaling: Scaling,
    gathered: VecDeque<Record>,
    /// When the first of them came.
    gathered_since: Option<Timestamp>,
    in_flight: usize,
    /// Lanes of batches in flight.
    busy: BTreeSet<String>,
}

impl Flow {
    /// A paused flow.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            paused: true,
            polling: false,
            rest_until: None,
            back_off: BackOff::new(REST_MIN, REST_MAX),
            scaling: Scaling::default(),
            gathered: VecDeque::new(),
            gathered_since: None,
            in_flight: 0,
            busy: BTreeSet::new(),
        }
    }

    /// Goes on under those limits; what failed before is forgiven.
    pub(crate) fn go(&mut self, limits: Limits) {
        self.limits = limits;
        self.paused = false;
        self.rest_until = None;
        self.back_off.succeeded();
    }

    /// Polls no more. What was gathered is handled without waiting for more; a poll under way was let go.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
        self.polling = false;
    }

    /// Whether a pause has taken effect: nothing will be handled any more that is not in flight already.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.paused && self.gathered.is_empty()
    }

    pub(crate) fn polled(&mut self, records: Vec<Record>, was_empty: bool, now: Timestamp) {
        self.polling = false;
        self.back_off.succeeded();
        if was_empty {
            self.scaling.ran_dry();
        }
        if !records.is_empty() {
            self.gathered_since.get_or_insert(now);
            self.gathered.extend(records);
        }
    }

    pub(crate) fn poll_failed(&mut self, now: Timestamp) {
        self.polling = false;
        self.rest_until = Some(now + self.back_off.failed());
    }

    /// A batch waits because the function is throttled.
    pub(crate) fn throttled(&mut self, now: Timestamp) {
        self.scaling.failed(now);
    }

    /// A batch with records of these lanes ended.
    pub(crate) fn ended<'a>(&mut self, lanes: impl Iterator<Item = &'a str>, end: End, now: Timestamp) {
        assert!(self.in_flight > 0, "a batch ended that was never begun");
        self.in_flight -= 1;
        for lane in lanes {
            self.busy.remove(lane);
        }
        if end == End::Failed {
            self.scaling.failed(now);
        }
    }

    pub(crate) fn next(&mut self, now: Timestamp) -> Step {
        self.let_go_of_what_is_held_no_more(now);
        let own = self.scaling.limit(self.in_flight, now);
        let free = self.in_flight < self.limits.concurrency.map_or(own, |bound| bound.min(own));
        if free && self.is_due(now) {
            let batch = self.take_batch();
            if !batch.is_empty() {
                return Step::Invoke(batch);
            }
        }
        let rests = self.rest_until.is_some_and(|until| until > now);
        let room = self.limits.records.saturating_sub(self.gathered.len());
        let has_room = room > 0 && self.gathered_bytes() < self.limits.bytes;
        if !self.polling && !self.paused && !rests && free && has_room {
            self.polling = true;
            return Step::Poll { limit: room };
        }
        let window_ends = self.gathered_since.filter(|_| free).map(|since| since + self.limits.window);
        let grows = self.scaling.grows_at().filter(|_| !free);
        let rest_ends = self.rest_until.filter(|_| free && !self.paused);
        let times = [window_ends, grows, rest_ends];
        Step::Wait(times.into_iter().flatten().filter(|at| *at > now).min())
    }

    /// Whether what was gathered is to wait no longer for more.
    fn is_due(&self, now: Timestamp) -> bool {
        self.gathered_since.is_some_and(|since| {
            self.paused
                || self.gathered.len() >= self.limits.records
                || self.gathered_bytes() >= self.limits.bytes
                || now >= since + self.limits.window
        })
    }

    fn gathered_bytes(&self) -> usize {
        self.gathered.iter().map(|record| record.json.len()).sum()
    }

    /// The oldest records that may be handled now and fit together. Where one of a lane stays behind, those after it do.
    fn take_batch(&mut self) -> Vec<Record> {
        let (mut batch, mut bytes, mut full) = (Vec::new(), 0, false);
        let mut left = VecDeque::new();
        for record in self.gathered.drain(..) {
            let waits = record.lane.as_ref().is_some_and(|lane| self.busy.contains(lane));
            // A record that is larger than any batch may be goes alone.
            let fits = batch.is_empty() || bytes + record.json.len() <= self.limits.bytes;
            if waits || full || !fits || batch.len() >= self.limits.records {
                full |= !waits;
                left.push_back(record);
            } else {
                bytes += record.json.len();
                batch.push(record);
            }
        }
        self.gathered = left;
        if self.gathered.is_empty() {
            self.gathered_since = None;
        }
        if !batch.is_empty() {
            self.in_flight += 1;
            self.busy.extend(batch.iter().filter_map(|record| record.lane.clone()));
        }
        batch
    }

    /// Somebody else may have been given them meanwhile.
    fn let_go_of_what_is_held_no_more(&mut self, now: Timestamp) {
        self.gathered.retain(|record| record.held_until > now);
        if self.gathered.is_empty() {
            self.gathered_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD: Duration = Duration::from_secs(30);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_millis(millis)
    }

    fn record(id: u64, lane: Option<u64>, now: u64) -> Record {
        Record {
            id: id.to_string(),
            json: "x".repeat(10),
            lane: lane.map(|lane| lane.to_string()),
            held_until: at(now) + HOLD,
            handle: String::new(),
            trace: None,
        }
    }

    fn limits(records: usize, window: u64, concurrency: Option<usize>) -> Limits {
        Limits { records, bytes: 1_000, window: Duration::from_millis(window), concurrency }
    }

    fn going(limits: Limits) -> Flow {
        let mut flow = Flow::new(limits.clone());
        assert_eq!(flow.next(at(0)), Step::Wait(None));
        flow.go(limits);
        flow
    }

    fn ids(step: Step) -> Vec<u64> {
        match step {
            Step::Invoke(batch) => batch.iter().map(|record| record.id.parse().expect("a number")).collect(),
            other => panic!("no batch but {other:?}"),
        }
    }

    #[test]
    fn without_a_window_what_comes_is_handed_on_at_once() {
        let mut flow = going(limits(10, 0, None));
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 10 });
        assert_eq!(flow.next(at(0)), Step::Wait(None), "one poll at a time, and nothing to wake for");
        flow.polled(vec![record(1, None, 5), record(2, None, 5)], false, at(5));
        assert_eq!(ids(flow.next(at(5))), [1, 2]);
        assert_eq!(
            flow.next(at(5)),
            Step::Poll { limit: 10 },
            "while the function works, the next are polled for"
        );
    }

    #[test]
    fn a_window_gathers_until_it_is_over_or_the_batch_is_full() {
        let mut flow = going(limits(3, 2_000, None));
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 3 });
        flow.polled(vec![record(1, None, 0)], false, at(0));
        assert_eq!(flow.next(at(500)), Step::Poll { limit: 2 });
        assert_eq!(flow.next(at(500)), Step::Wait(Some(at(2_000))));
        assert_eq!(ids(flow.next(at(2_000))), [1]);
        flow.polled((2..5).map(|id| record(id, None, 2_100)).collect(), false, at(2_100));
        assert_eq!(ids(flow.next(at(2_100))), [2, 3, 4], "full");
        // As is one with as many bytes as it may have.
        let mut flow = going(Limits { bytes: 25, ..limits(100, 2_000, None) });
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 100 });
        flow.polled((0..3).map(|id| record(id, None, 0)).collect(), false, at(0));
        assert_eq!(ids(flow.next(at(0))), [0, 1]);
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 99 });
        assert_eq!(ids(flow.next(at(2_000))), [2]);
    }

    #[test]
    fn a_pause_hands_on_what_was_gathered_and_polls_no_more() {
        let mut flow = going(limits(10, 60_000, None));
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 10 });
        flow.polled(vec![record(1, None, 0)], false, at(0));
        assert_eq!(flow.next(at(1)), Step::Poll { limit: 9 });
        flow.pause();
        assert!(!flow.is_at_rest());
        assert_eq!(ids(flow.next(at(2))), [1]);
        assert!(flow.is_at_rest());
        assert_eq!(flow.next(at(3)), Step::Wait(None));
        flow.go(limits(5, 0, None));
        assert_eq!(flow.next(at(4)), Step::Poll { limit: 5 });
    }

    #[test]
    fn failed_polls_rest_longer_and_longer() {
        let mut flow = going(limits(10, 0, None));
        for (now, rests) in [(0, 1_000), (1_000, 2_000), (3_000, 4_000)] {
            assert_eq!(flow.next(at(now)), Step::Poll { limit: 10 });
            flow.poll_failed(at(now));
            assert_eq!(flow.next(at(now)), Step::Wait(Some(at(now + rests))));
        }
        // A change is a reason to try again.
        flow.go(limits(10, 0, None));
        assert_eq!(flow.next(at(3_001)), Step::Poll { limit: 10 });
    }

    #[test]
    fn a_lane_has_one_batch_at_a_time() {
        let mut flow = going(limits(2, 0, None));
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 2 });
        flow.polled(vec![record(1, Some(1), 0), record(2, Some(2), 0)], false, at(0));
        assert_eq!(ids(flow.next(at(0))), [1, 2]);
        assert_eq!(flow.next(at(0)), Step::Poll { limit: 2 });
        flow.polled(vec![record(3, Some(1), 1), record(4, Some(3), 1)], false, at(1));
        assert_eq!(ids(flow.next(at(1))), [4], "the first lane is busy");
        assert_eq!(flow.next(at(1)), Step::Poll { limit: 1 });
        flow.ended(["1", "2"].into_iter(), End::Handled, at(2));
        assert_eq!(ids(flow.next(at(2))), [3]);
    }

    /// What happens in a run of a flow, decided by chance.
    #[derive(Clone, Debug)]
    enum Event {
        Arrive(u8),
        Fail,
        End(u8, bool),
        Throttle,
        Pause,
        Go,
        Pass(u16),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (0..10_u8).prop_map(Event::Arrive),
            1 => Just(Event::Fail),
            4 => (any::<u8>(), any::<bool>()).prop_map(|(which, well)| Event::End(which, well)),
            1 => Just(Event::Throttle),
            1 => Just(Event::Pause),
            2 => Just(Event::Go),
            3 => (0..5_000_u16).prop_map(Event::Pass),
        ]
    }

    proptest! {
        /// Whatever happens: no bound is passed, lanes keep their order and have one batch each, and every record is
        /// handed on unless it was held for too long.
        #[test]
        fn bounds_and_order_hold_whatever_happens(
            size in 1..12_usize,
            window in prop_oneof![Just(0_u64), 1..3_000_u64],
            concurrency in prop::option::of(2..6_usize),
            lanes in prop::option::of(1..4_u64),
            events in prop::collection::vec(event(), 1..200),
        ) {
            let bounds = limits(size, window, concurrency);
            let mut flow = going(bounds.clone());
            let (mut now, mut next, mut polling, mut paused) = (0_u64, 0_u64, None, false);
            let mut in_flight: Vec<Vec<Record>> = Vec::new();
            let mut waiting = std::collections::BTreeMap::new();
            let events = events.into_iter().chain([Event::Pause]).chain((0..600).map(|_| Event::End(0, true)));
            for event in events {
                match event {
                    Event::Arrive(count) => if let Some(limit) = polling.take() {
                        let came: Vec<_> = (0..u64::from(count).min(limit)).map(|_| {
                            next += 1;
                            record(next, lanes.map(|lanes| next % lanes), now)
                        }).collect();
                        waiting.extend(came.iter().map(|record| (record.id.parse::<u64>().unwrap(), record.held_until)));
                        flow.polled(came, count == 0, at(now));
                    },
                    Event::Fail => if polling.take().is_some() {
                        flow.poll_failed(at(now));
                    },
                    Event::End(which, well) => if !in_flight.is_empty() {
                        let batch = in_flight.remove(usize::from(which) % in_flight.len());
                        let lanes = batch.iter().filter_map(|record| record.lane.as_deref());
                        flow.ended(lanes, if well { End::Handled } else { End::Failed }, at(now));
                    },
                    Event::Throttle => flow.throttled(at(now)),
                    Event::Pause => { flow.pause(); paused = true; polling = None; }
                    Event::Go => { flow.go(bounds.clone()); paused = false; }
                    Event::Pass(millis) => now += u64::from(millis),
                }
                loop {
                    match flow.next(at(now)) {
                        Step::Wait(until) => {
                            prop_assert!(until.is_none_or(|until| until > at(now)), "a wake-up in the past");
                            break;
                        }
                        Step::Poll { limit } => {
                            prop_assert!(!paused && polling.is_none() && (1..=size).contains(&limit));
                            polling = Some(limit as u64);
                        }
                        Step::Invoke(batch) => {
                            prop_assert!(!batch.is_empty() && batch.len() <= size);
                            prop_assert!(in_flight.len() < concurrency.unwrap_or(usize::MAX));
                            for record in &batch {
                                prop_assert!(record.held_until > at(now), "handed on too late");
                                let busy = in_flight.iter().flatten().any(|other| {
                                    record.lane.is_some() && other.lane == record.lane
                                });
                                prop_assert!(!busy, "two batches of a lane");
                                let id: u64 = record.id.parse().unwrap();
                                let earlier = waiting.range(..id).any(|(other, held_until)| {
                                    lanes.is_some_and(|lanes| other % lanes == id % lanes) && *held_until > at(now)
                                });
                                prop_assert!(!earlier, "overtaken in its lane");
                                prop_assert!(waiting.remove(&id).is_some(), "handed on twice");
                            }
                            in_flight.push(batch);
                        }
                    }
                }
            }
            prop_assert!(flow.is_at_rest(), "a pause takes effect once the batches have ended");
            prop_assert!(waiting.values().all(|held_until| *held_until <= at(now)), "a record was forgotten");
        }
    }
}
