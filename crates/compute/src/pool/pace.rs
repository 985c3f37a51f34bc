//! How much of something happens in a stretch of time: so many starts of a function's environments, and no more.

use std::time::Duration;

use apus_time::Timestamp;

/// Counts in stretches that follow each other: at most a stretch's worth passes at once, and twice as much in one that
/// lies across two.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    began: Timestamp,
    count: u32,
}

impl Pace {
    /// Nothing yet, from now on.
    pub fn new(now: Timestamp) -> Self {
        Self { began: now, count: 0 }
    }

    /// How many there were in the stretch that this moment lies in.
    pub fn count(&self, now: Timestamp, stretch: Duration) -> u32 {
        if now.since(self.began) < stretch { self.count } else { 0 }
    }

    /// Counts one.
    pub fn note(&mut self, now: Timestamp, stretch: Duration) {
        let before = self.count(now, stretch);
        if before == 0 {
            self.began = now;
        }
        self.count = before.saturating_add(1);
    }
}
