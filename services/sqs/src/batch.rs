//! Batches: what holds for all of them before any entry is looked at, and how their entries' failures are told.

use std::collections::BTreeSet;

use apus_model_sqs::BatchResultErrorEntry;
use apus_schema::{ErrorKind, Fault, ServiceError};

/// The most entries of a batch.
const ENTRIES_MAX: usize = 10;
/// The longest id of an entry.
const ID_LENGTH_MAX: usize = 80;
/// The most bytes of all messages of a batch together.
pub(crate) const BATCH_BYTES_MAX: usize = 1_048_576;

/// Why a batch is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BatchError {
    /// There is no entry; this is what one is called.
    Empty(&'static str),
    TooMany(usize),
    InvalidId,
    RepeatedId(String),
    TooLong(usize),
}

/// Checks the entries' ids. `entry` is what the model calls an entry.
pub(crate) fn check<'i>(
    entry: &'static str,
    ids: impl ExactSizeIterator<Item = &'i String>,
) -> Result<(), BatchError> {
    let count = ids.len();
    if count == 0 {
        return Err(BatchError::Empty(entry));
    }
    if count > ENTRIES_MAX {
        return Err(BatchError::TooMany(count));
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let valid = (1..=ID_LENGTH_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            return Err(BatchError::InvalidId);
        }
        if !seen.insert(id) {
            return Err(BatchError::RepeatedId(id.clone()));
        }
    }
    Ok(())
}

/// An entry that failed, beside others that did not.
pub(crate) fn failed(id: String, error: &ServiceError) -> BatchResultErrorEntry {
    let code = match error.kind() {
        ErrorKind::Modelled(schema) => schema.code,
        ErrorKind::Named { code, .. } => code,
        ErrorKind::Common(_) => "InternalError",
    };
    BatchResultErrorEntry {
        id,
        sender_fault: error.fault() == Fault::Sender,
        code: code.to_owned(),
        message: Some(error.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_to_ten_entries_with_ids_of_their_own() {
        let check = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            check("SendMessageBatchRequestEntry", ids.iter())
        };
        assert_eq!(check(&["a", "B-9_", &"x".repeat(80)]), Ok(()));
        assert_eq!(check(&[]), Err(BatchError::Empty("SendMessageBatchRequestEntry")));
        assert_eq!(check(&["a"; 11]), Err(BatchError::TooMany(11)));
        assert_eq!(check(&["a", "b", "a"]), Err(BatchError::RepeatedId("a".into())));
        for id in ["", "a b", "ä", &"x".repeat(81)] {
            assert_eq!(check(&[id]), Err(BatchError::InvalidId), "{id}");
        }
    }
}
