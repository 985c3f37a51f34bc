//! What waits for one subscriber: records in order, batches of at most so many, and a count of those for which there was
//! no room. Pure: time is an argument, and nobody is told anything.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

/// Records that wait for a subscriber, at most.
pub(super) const WAITING_RECORDS_MAX: usize = 20_000;
/// Bytes that wait for a subscriber, at most; beside them a batch that was taken back, or one record that is longer.
pub(super) const WAITING_BYTES_MAX: usize = 2 * 1024 * 1024;

/// When a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffering {
    /// When it has so many records, which is as many as it may have.
    pub(super) items_max: usize,
    /// When it has so many bytes. It may have no more, unless it is one record.
    pub(super) bytes_max: usize,
    /// When its oldest record has waited for so long.
    pub(super) timeout: Duration,
}

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Records.
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// When the next batch is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing waits.
    Never,
    /// Then, unless more comes.
    At(Duration),
    /// Now.
    Now,
}

/// The records of one subscriber.
#[derive(Debug)]
pub(super) struct Buffer {
    buffering: Buffering,
    waiting: VecDeque<(Duration, Bytes)>,
    bytes: usize,
    /// What came when there was no room, after all that waits.
    dropped: Dropped,
    /// What was sent and not taken, before all that waits.
    refused: Dropped,
    flushing: bool,
}

impl Buffer {
    /// An empty one.
    pub(super) fn new(buffering: Buffering) -> Self {
        Self {
            buffering,
            waiting: VecDeque::new(),
            bytes: 0,
            dropped: Dropped::default(),
            refused: Dropped::default(),
            flushing: false,
        }
    }

    /// Adds a record, or counts it where there is no room. Once one was lost, all are until a batch is taken: what is
    /// told of the loss is in its place.
    pub(super) fn push(&mut self, now: Duration, record: Bytes) {
        let is_full = self.waiting.len() >= WAITING_RECORDS_MAX
            || !self.waiting.is_empty() && self.bytes + record.len() > WAITING_BYTES_MAX;
        if is_full || self.dropped.records > 0 {
            self.lose(Dropped { records: 1, bytes: record.len() as u64 });
        } else {
            self.bytes += record.len();
            self.waiting.push_back((now, record));
        }
    }

    /// Counts records that come last, and for which there is no room.
    pub(super) fn lose(&mut self, dropped: Dropped) {
        self.dropped.add(dropped);
    }

    /// Counts the records of a batch that was sent and not taken.
    pub(super) fn refuse(&mut self, batch: &[Bytes]) {
        let bytes = batch.iter().map(|record| record.len() as u64).sum();
        self.refused.add(Dropped { records: batch.len() as u64, bytes });
    }

    /// Takes back a batch of which nothing was sent, and which stays due.
    pub(super) fn put_back(&mut self, now: Duration, batch: Vec<Bytes>) {
        self.flushing = true;
        for record in batch.into_iter().rev() {
            self.bytes += record.len();
            self.waiting.push_front((now, record));
        }
    }

    /// What waits now is to be sent at once.
    pub(super) fn flush(&mut self) {
        self.flushing = !self.is_empty();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dropped.records == 0 && self.refused.records == 0
    }

    /// When to send.
    pub(super) fn due(&self, now: Duration) -> Due {
        if self.is_empty() {
            return Due::Never;
        }
        let is_due = self.flushing
            || self.dropped.records > 0
            || self.refused.records > 0
            || self.waiting.len() >= self.buffering.items_max
            || self.bytes >= self.buffering.bytes_max;
        let oldest = self.waiting.front().map_or(now, |(since, _)| *since);
        match oldest + self.buffering.timeout {
            at if is_due || at <= now => Due::Now,
            at => Due::At(at),
        }
    }

    /// The next batch, the oldest first. What was lost until now is told, in its place, by records that `tell` makes.
    pub(super) fn take(&mut self, now: Duration, tell: impl Fn(Dropped) -> Bytes) -> Vec<Bytes> {
        if self.refused.records > 0 {
            let record = tell(std::mem::take(&mut self.refused));
            self.bytes += record.len();
            self.waiting.push_front((now, record));
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((_, record)) = self.waiting.front() {
            let is_full = batch.len() >= self.buffering.items_max
                || !batch.is_empty() && bytes + record.len() > self.buffering.bytes_max;
            if is_full {
                break;
            }
            if let Some((_, record)) = self.waiting.pop_front() {
                bytes += record.len();
                batch.push(record);
            }
        }
        self.bytes -= bytes;
        if self.dropped.records > 0 {
            let record = tell(std::mem::take(&mut self.dropped));
            if batch.is_empty() {
                batch.push(record);
            } else {
                self.bytes += record.len();
                self.waiting.push_back((now, record));
            }
        }
        self.flushing &= !self.waiting.is_empty();
        batch
    }
}

impl Dropped {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buffering(items_max: usize, bytes_max: usize) -> Buffering {
        Buffering { items_max, bytes_max, timeout: SECOND }
    }

    fn untold(dropped: Dropped) -> Bytes {
        panic!("{dropped:?} were lost")
    }

    #[test]
    fn a_batch_is_due_by_its_items_its_bytes_its_age_or_a_wish() {
        let mut buffer = Buffer::new(buffering(3, 10));
        assert_eq!(buffer.due(SECOND), Due::Never);
        buffer.flush();
        buffer.push(SECOND, Bytes::from_static(b"1234"));
        buffer.push(SECOND * 3 / 2, Bytes::from_static(b"5678"));
        assert_eq!(buffer.due(SECOND), Due::At(SECOND * 2), "and nobody wished before there was anything");
        assert_eq!(buffer.due(SECOND * 2), Due::Now);
        buffer.push(SECOND, Bytes::from_static(b"90"));
        assert_eq!(buffer.due(SECOND), Due::Now, "by items and by bytes");
        assert_eq!(buffer.take(SECOND, untold), ["1234", "5678", "90"]);
        assert_eq!(buffer.due(SECOND), Due::Never);
        buffer.push(SECOND, Bytes::from_static(b"1"));
        buffer.flush();
        assert_eq!(buffer.due(SECOND), Due::Now, "by a wish");
        assert_eq!(buffer.take(SECOND, untold), ["1"]);
        buffer.push(SECOND, Bytes::from_static(b"2"));
        assert_eq!(buffer.due(SECOND), Due::At(SECOND * 2), "a wish is for what waits");
    }

    #[test]
    fn one_record_that_is_too_long_goes_alone() {
        let mut buffer = Buffer::new(buffering(3, 4));
        for record in ["1", "too long", "2"] {
            buffer.push(SECOND, Bytes::from_static(record.as_bytes()));
        }
        for record in ["1", "too long", "2"] {
            assert_eq!(buffer.take(SECOND, untold), [record]);
        }
        let whole = Bytes::from(vec![b'x'; WAITING_BYTES_MAX + 1]);
        buffer.push(SECOND, whole.clone());
        assert_eq!(buffer.take(SECOND, untold), [whole]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever comes and goes: order holds, bounds hold, and every record is either delivered or counted in its place.
        #[test]
        fn nothing_is_lost_that_is_not_told(
            steps in prop::collection::vec((0_usize..600_000, any::<bool>(), any::<bool>()), 1..24),
            items_max in 1_usize..5,
        ) {
            let mut buffer = Buffer::new(buffering(items_max, 262_144));
            let mut next = 0;
            let mut took = |buffer: &mut Buffer, is_refused: bool| {
                let batch = buffer.take(SECOND, |dropped| {
                    assert!(dropped.records > 0);
                    Bytes::from(format!("dropped {} {}", dropped.records, dropped.bytes))
                });
                prop_assert!(batch.len() <= items_max);
                let bytes: usize = batch.iter().map(Bytes::len).sum();
                prop_assert!(bytes <= 262_144 || batch.len() == 1);
                // What tells of a loss and is refused itself is told as one record more.
                if is_refused && batch.iter().all(|record| !record.starts_with(b"dropped")) {
                    buffer.refuse(&batch);
                    return Ok(());
                }
                for record in batch {
                    let text = std::str::from_utf8(&record).expect("text").trim_start();
                    if let Some(counts) = text.strip_prefix("dropped ") {
                        let records = counts.split(' ').next().expect("a count");
                        next += records.parse::<usize>().expect("a number");
                    } else {
                        prop_assert_eq!(text.parse::<usize>().expect("a number"), next);
                        next += 1;
                    }
                }
                Ok(())
            };
            for (number, (length, takes, refuses)) in steps.iter().enumerate() {
                buffer.push(SECOND, Bytes::from(format!("{}{number}", " ".repeat(*length))));
                prop_assert!(buffer.bytes <= WAITING_BYTES_MAX || buffer.waiting.len() == 1);
                if *takes {
                    took(&mut buffer, *refuses)?;
                }
            }
            while buffer.due(SECOND * 9) == Due::Now {
                took(&mut buffer, false)?;
            }
            prop_assert!(buffer.is_empty() && buffer.bytes == 0);
            prop_assert_eq!(next, steps.len());
        }
    }
}
