//! A batch as an event: what functions are invoked with.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::source::Record;
use crate::function_name::FunctionId;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::lineage;

const HEAD: &str = "{\"Records\":[";
const TAIL: &str = "]}";
/// The most records of a batch: the model's bound.
const RECORDS_MAX: usize = 10_000;
/// The most bytes of a batch's records: an event may have 6 MB, with its frame and its commas.
pub(crate) const BYTES_MAX: usize = PAYLOAD_BYTES_MAX - HEAD.len() - TAIL.len() - RECORDS_MAX;

/// The records whose trace has not led to that function too often. In a lane none overtakes one that has.
pub(crate) fn without_loops(records: &[Record], function: &FunctionId) -> Vec<Record> {
    let mut stopped = BTreeSet::new();
    let mut rest = Vec::new();
    for record in records {
        let is_behind = record.lane.as_ref().is_some_and(|lane| stopped.contains(lane));
        if is_behind || lineage::is_recursive(record.trace.as_deref(), function) {
            stopped.extend(record.lane.as_ref());
        } else {
            rest.push(record.clone());
        }
    }
    rest
}

/// The event of those records.
pub(crate) fn event(records: &[Record]) -> Bytes {
    let bytes: usize = records.iter().map(|record| record.json.len() + 1).sum();
    let mut event = String::with_capacity(HEAD.len() + bytes + TAIL.len());
    event.push_str(HEAD);
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            event.push(',');
        }
        event.push_str(&record.json);
    }
    event.push_str(TAIL);
    event.into()
}

#[cfg(test)]
mod tests {
    use apus_kernel::{AccountId, Region};
    use apus_time::Timestamp;

    use super::*;

    #[test]
    fn what_has_been_here_too_often_is_left_out_and_not_overtaken() {
        let function =
            FunctionId { account: AccountId::DEVELOPMENT, region: Region::default(), name: "one".into() };
        let env = apus_env::sim::Simulator::new(1).env();
        let mut trace = None;
        for _ in 0..16 {
            trace = Some(lineage::next(&env, trace.as_deref(), &function));
        }
        let record = |id: &str, lane: Option<&str>, looped: bool| Record {
            id: id.into(),
            json: "{}".into(),
            lane: lane.map(Into::into),
            held_until: Timestamp::MAX,
            handle: String::new(),
            trace: trace.clone().filter(|_| looped),
        };
        let batch = [
            record("1", None, true),
            record("2", None, false),
            record("3", Some("a"), false),
            record("4", Some("a"), true),
            record("5", Some("a"), false),
            record("6", Some("b"), false),
        ];
        let rest = without_loops(&batch, &function);
        let rest: Vec<_> = rest.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(rest, ["2", "3", "6"]);
    }
}
