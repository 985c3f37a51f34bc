//! Counts calls: how many, how many failed and by whose fault, how long they took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apus_schema::{Fault, OperationSchema};

use crate::by_address::ByAddress;

/// The count of one operation's calls since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls that were answered.
    pub calls: u64,
    /// Of these, refused for the caller's fault.
    pub sender_faults: u64,
    /// Of these, failed.
    pub receiver_faults: u64,
    /// The time between door and answer, in all.
    pub duration_total: Duration,
    /// The longest time between door and answer.
    pub duration_max: Duration,
}

/// The counts of all operations. One lock for a few additions; the models bound how many there are.
#[derive(Default)]
pub(crate) struct Meter(Mutex<BTreeMap<ByAddress, (&'static OperationSchema, Count)>>);

impl Meter {
    pub(crate) fn record(
        &self,
        operation: &'static OperationSchema,
        fault: Option<Fault>,
        duration: Duration,
    ) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, count) =
            counts.entry(ByAddress::of(operation)).or_insert_with(|| (operation, Count::default()));
        count.calls += 1;
        match fault {
            Some(Fault::Sender) => count.sender_faults += 1,
            Some(Fault::Receiver) => count.receiver_faults += 1,
            None => {}
        }
        count.duration_total += duration;
        count.duration_max = count.duration_max.max(duration);
    }

    /// Sorted by service and operation.
    pub(crate) fn read(&self) -> Vec<(&'static str, &'static str, Count)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |(operation, count): &(&'static OperationSchema, Count)| {
            (operation.service.name, operation.name, *count)
        };
        let mut list: Vec<_> = counts.values().map(named).collect();
        list.sort_unstable_by_key(|&(service, operation, _)| (service, operation));
        list
    }
}
