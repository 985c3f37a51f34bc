//! From an invocation to its record.

use apus_schema::ServiceError;
use apus_time::Timestamp;
use bytes::Bytes;
use serde::Deserialize;

use crate::errors;
use crate::function_name::FunctionReference;
use crate::limits::LOG_TAIL_BYTES;
use crate::run::{Ran, Trigger};
use crate::store::execution::ExecutionRecord;

/// The largest event that is kept for a replay, in bytes.
pub(crate) const EVENT_KEPT_BYTES_MAX: usize = 32 * 1024;
/// The longest error message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// What is known of an invocation before it ends.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) request_id: String,
    pub(crate) version: String,
    pub(crate) memory_mb: u32,
    pub(crate) trigger: Trigger,
    pub(crate) attempt: u32,
    pub(crate) event: Bytes,
    pub(crate) at: Timestamp,
}

/// What an error of a function says of itself.
#[derive(Default, Deserialize)]
struct ErrorReport {
    #[serde(default, rename = "errorMessage")]
    message: String,
}

impl Begun {
    /// The record, with nothing of an end yet.
    fn record(self, function: &FunctionReference) -> ExecutionRecord {
        let kept = self.event.len() <= EVENT_KEPT_BYTES_MAX;
        let (trigger, by) = self.trigger.into_names();
        ExecutionRecord {
            request_id: self.request_id,
            account: function.id.account.to_string(),
            region: function.id.region.to_string(),
            function: function.id.name.clone(),
            qualifier: function.qualifier.clone(),
            version: self.version,
            trigger: trigger.to_owned(),
            by,
            attempt: self.attempt,
            started_at_micros: self.at.as_micros(),
            memory_mb: self.memory_mb,
            event_bytes: self.event.len() as u64,
            event: kept.then(|| self.event.to_vec()),
            ..ExecutionRecord::default()
        }
    }

    /// The record of how it ended.
    pub(crate) fn ended(
        self,
        function: &FunctionReference,
        end: &Result<Ran, ServiceError>,
    ) -> ExecutionRecord {
        let record = self.record(function);
        match end {
            Ok(ran) => observed(record, ran),
            Err(error) => {
                let status = if errors::is_throttled(error) { "throttled" } else { "refused" };
                ExecutionRecord {
                    status: status.to_owned(),
                    error_type: Some(error.name()),
                    error_message: Some(beginning(error.message(), MESSAGE_BYTES_MAX).to_owned()),
                    ..record
                }
            }
        }
    }

    /// The record of an event that was given up without another try.
    pub(crate) fn discarded(self, function: &FunctionReference, why: &str) -> ExecutionRecord {
        let record = self.record(function);
        ExecutionRecord { status: "discarded".to_owned(), error_message: Some(why.to_owned()), ..record }
    }
}

fn observed(record: ExecutionRecord, ran: &Ran) -> ExecutionRecord {
    let outcome = &ran.outcome;
    let failed = outcome.function_error.as_ref();
    let message = failed.map(|_| error_message(&outcome.payload));
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    ExecutionRecord {
        version: ran.version.clone(),
        status: if failed.is_some() { "failed" } else { "succeeded" }.to_owned(),
        cold: outcome.cold.as_ref().map(ToString::to_string),
        init_micros: outcome.init_duration.map(micros),
        duration_micros: Some(micros(outcome.duration)),
        billed_ms: Some(outcome.billed_ms),
        memory_max_bytes: Some(outcome.memory_max_bytes).filter(|bytes| *bytes > 0),
        error_type: failed.map(|error| error.error_type.clone()),
        error_message: message.map(|text| beginning(&text, MESSAGE_BYTES_MAX).to_owned()),
        log: end(&outcome.log, LOG_TAIL_BYTES).to_owned(),
        ..record
    }
}

/// The message in an error of a function; empty if it has none.
pub(crate) fn error_message(payload: &[u8]) -> String {
    serde_json::from_slice::<ErrorReport>(payload).unwrap_or_default().message
}

/// The beginning of a text, up to so many bytes, with whole characters.
pub(crate) fn beginning(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The end of a text, at most so many bytes, from the beginning of a character.
pub(crate) fn end(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!((beginning("ab", 5), end("ab", 5)), ("ab", "ab"));
        assert_eq!((beginning("aé", 2), end("éa", 2)), ("a", "a"));
        assert_eq!((beginning("aé", 3), end("éa", 3)), ("aé", "éa"));
    }

    #[test]
    fn messages_are_found_where_there_are_any() {
        for (payload, message) in [
            (r#"{"errorMessage":"no","errorType":"E"}"#, "no"),
            (r#"{"errorType":"E"}"#, ""),
            (r#"{"errorMessage":7}"#, ""),
            ("[]", ""),
            ("no JSON", ""),
        ] {
            assert_eq!(error_message(payload.as_bytes()), message, "{payload}");
        }
    }
}
