//! What a kind of source must be able to do for the poller, which knows nothing else of it.
//!
//! A queue forgets a record when it is told that it is done, and gives it out again if it is not told so. A stream
//! will keep a checkpoint for each shard: its `poll` reads on from there with the shard as the records' lane, and its
//! `done` moves it. What fails stays the source's: a queue shows it again after its visibility timeout; a stream will
//! give it, whole or bisected, to the next `poll`.

use apus_kernel::{BoxFuture, Context};
use apus_schema::ServiceError;
use apus_time::Timestamp;
use serde_json::Value;

/// One record of a source, as it is handed to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// By what a function says that it failed: `itemIdentifier`.
    pub(crate) id: String,
    /// The record within the event, as JSON.
    pub(crate) json: String,
    /// Records of one lane are handled one batch after another, in their order.
    pub(crate) lane: Option<String>,
    /// From then on somebody else may be given it.
    pub(crate) held_until: Timestamp,
    /// What the source knows it by.
    pub(crate) handle: String,
    /// The trace of whoever sent it.
    pub(crate) trace: Option<String>,
}

/// A source of records. It is called as the function's execution role, so that permissions are enforced; its failures
/// end up in `LastProcessingResult`.
pub(crate) trait Source: Send + Sync + 'static {
    /// The service that it is of, as its principal begins: `sqs`.
    fn service(&self) -> &'static str;

    /// Takes at most `limit` records, and waits for a first one as long as the source lets anybody wait: it wakes on
    /// arrival. Whoever lets the future go gives the records up that it would have had.
    fn poll<'a>(
        &'a self,
        as_role: &'a Context,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, ServiceError>>;

    /// These are done, or are none of the function's business: they do not come again.
    fn done<'a>(
        &'a self,
        as_role: &'a Context,
        records: &'a [Record],
    ) -> BoxFuture<'a, Result<(), ServiceError>>;

    /// The record as filter patterns see it.
    fn filtered_as(&self, record: &Record) -> Value;

    /// What is said of a failure, in `LastProcessingResult`, before its message.
    fn problem(&self, error: &ServiceError) -> String;
}
