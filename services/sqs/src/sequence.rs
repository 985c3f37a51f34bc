//! The sequence number of a FIFO queue's message: twenty digits that grow with its place in the queue.

/// All sequence numbers have twenty digits, so that they compare as texts as they do as numbers.
const FIRST: u64 = 10_000_000_000_000_000_000;

pub(crate) fn number(position: u64) -> String {
    FIRST.saturating_add(position).to_string()
}
