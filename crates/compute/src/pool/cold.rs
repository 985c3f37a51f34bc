//! Why an invocation has to wait for a start: what became of the environments that might have served it.

use std::collections::BTreeMap;
use std::fmt;

use crate::spec::FunctionKey;

/// Functions whose last environment is remembered; with one more, all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Why an environment was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColdReason {
    /// The function has had no environment since the platform started.
    First,
    /// Code, configuration or credentials are others than those of its last environment.
    Changed,
    /// So many environments of this revision were busy or starting.
    Busy(usize),
    /// Its last environment had had nothing to do for long.
    Idle,
    /// Its last environment gave way to another function's, or to a lack of memory.
    MadeRoom,
    /// Its last environment was kept for it, and is no more to be.
    Released,
    /// Its last environment ended: it exited, timed out, failed to start, or was killed.
    Lost,
}

impl fmt::Display for ColdReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("the function's first environment since the platform started"),
            Self::Changed => f.write_str("its code, configuration or credentials have changed"),
            Self::Busy(1) => f.write_str("its one environment was busy"),
            Self::Busy(count) => write!(f, "all its {count} environments were busy"),
            Self::Idle => f.write_str("its last environment was ended for having nothing to do"),
            Self::MadeRoom => f.write_str("its last environment had to make room"),
            Self::Released => f.write_str("its provisioned concurrency was given back"),
            Self::Lost => f.write_str("its last environment exited, timed out or failed"),
        }
    }
}

/// How an environment went, as far as its successor cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    Retired,
    Idle,
    MadeRoom,
    Released,
    Lost,
}

/// The last environment of each function that has none now.
#[derive(Debug, Default)]
pub(super) struct Departed(BTreeMap<String, (String, Departure)>);

impl Departed {
    pub(super) fn note(&mut self, key: &FunctionKey, how: Departure) {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key.arn) {
            self.0.clear();
        }
        self.0.insert(key.arn.clone(), (key.revision.clone(), how));
    }

    /// Why a start is needed for a function of which so many environments of the same revision are in use, and
    /// perhaps some of another.
    pub(super) fn reason(&self, key: &FunctionKey, in_use: usize, of_others: bool) -> ColdReason {
        if in_use > 0 {
            return ColdReason::Busy(in_use);
        }
        match self.0.get(&key.arn) {
            Some((revision, _)) if *revision != key.revision => ColdReason::Changed,
            Some((_, Departure::Retired)) => ColdReason::Changed,
            _ if of_others => ColdReason::Changed,
            Some((_, Departure::Idle)) => ColdReason::Idle,
            Some((_, Departure::MadeRoom)) => ColdReason::MadeRoom,
            Some((_, Departure::Released)) => ColdReason::Released,
            Some((_, Departure::Lost)) => ColdReason::Lost,
            None => ColdReason::First,
        }
    }
}
