//! A batch as an event: what functions are invoked with.

use bytes::Bytes;

use super::source::Record;
use crate::limits::PAYLOAD_BYTES_MAX;

const HEAD: &str = "{\"Records\":[";
const TAIL: &str = "]}";
/// The most records of a batch: the model's bound.
const RECORDS_MAX: usize = 10_000;
/// The most bytes of a batch's records: an event may have 6 MB, with its frame and its commas.
pub(crate) const BYTES_MAX: usize = PAYLOAD_BYTES_MAX - HEAD.len() - TAIL.len() - RECORDS_MAX;

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
