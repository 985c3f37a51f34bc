//! Events that were accepted and have not ended: what does not change of one, and what became of its attempts.

use apus_kernel::Outbox;
use apus_store::{StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::SERVICE;
use crate::asynchronous::rules::Failures;
use crate::function_name::{FunctionId, FunctionReference};

/// Where an event lies: the account and region of its function, and the id of the request that it came in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct EventKey {
    #[n(0)]
    pub(crate) account: String,
    #[n(1)]
    pub(crate) region: String,
    #[n(2)]
    pub(crate) request_id: String,
}

/// An event as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct EventRecord {
    #[n(0)]
    pub(crate) function: String,
    #[n(1)]
    pub(crate) qualifier: Option<String>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) payload: Vec<u8>,
    /// As JSON.
    #[n(3)]
    pub(crate) client_context: Option<String>,
    #[n(4)]
    pub(crate) accepted_at_micros: i64,
    /// Who sent it.
    #[n(5)]
    pub(crate) by: String,
    /// The trace of the request that it came in.
    #[n(6)]
    pub(crate) trace: Option<String>,
}

/// What became of an event's attempts; there is none before the first has failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ProgressRecord {
    #[n(0)]
    pub(crate) errors: u32,
    #[n(1)]
    pub(crate) refusals: u32,
    /// No attempt before then.
    #[n(2)]
    pub(crate) next_at_micros: i64,
    /// What the last attempt came to.
    #[n(3)]
    pub(crate) last: Option<ResponseRecord>,
    /// How often the function ran.
    #[n(4)]
    pub(crate) runs: u32,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ResponseRecord {
    /// As `Invoke` would have answered.
    #[n(0)]
    pub(crate) status: u16,
    /// The version that ran, if one did.
    #[n(1)]
    pub(crate) version: Option<String>,
    /// `Unhandled`, if the function failed.
    #[n(2)]
    pub(crate) function_error: Option<String>,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) payload: Vec<u8>,
}

impl EventKey {
    pub(crate) fn new(id: &FunctionId, request_id: &str) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            request_id: request_id.to_owned(),
        }
    }

    /// The function that the event is for; nothing if the key is no key.
    pub(crate) fn function(&self, event: &EventRecord) -> Option<FunctionReference> {
        let id = FunctionId {
            account: self.account.parse().ok()?,
            region: self.region.parse().ok()?,
            name: event.function.clone(),
        };
        Some(FunctionReference { id, qualifier: event.qualifier.clone() })
    }

    fn events(&self) -> Table<EventRecord> {
        Table::new(apus_store::Keyspace::new(&self.account, &self.region, SERVICE).sub(("event",)))
    }

    fn progress(&self) -> Table<ProgressRecord> {
        Table::new(apus_store::Keyspace::new(&self.account, &self.region, SERVICE).sub(("event-progress",)))
    }
}

impl EventRecord {
    pub(crate) fn accepted_at(&self) -> Timestamp {
        Timestamp::from_micros(self.accepted_at_micros)
    }
}

impl ProgressRecord {
    pub(crate) fn failures(&self) -> Failures {
        Failures { errors: self.errors, refusals: self.refusals }
    }
}

/// The event and what became of it so far; nothing if it has ended.
pub(crate) async fn get(
    tx: &Tx,
    key: &EventKey,
) -> Result<Option<(EventRecord, ProgressRecord)>, StoreError> {
    let Some(event) = key.events().get(tx, (key.request_id.as_str(),)).await? else { return Ok(None) };
    let progress = key.progress().get(tx, (key.request_id.as_str(),)).await?;
    Ok(Some((event, progress.unwrap_or_default())))
}

/// Whether the event is there: accepted, and not ended.
pub(crate) async fn is_open(tx: &Tx, key: &EventKey) -> Result<bool, StoreError> {
    key.events().contains(tx, (key.request_id.as_str(),)).await
}

/// Keeps an event, and the step that will try it.
pub(crate) fn put(tx: &Tx, outbox: &Outbox, key: &EventKey, event: &EventRecord) {
    key.events().put(tx, (key.request_id.as_str(),), event);
    outbox.put_step(tx, crate::asynchronous::queue::step(key, event.accepted_at()));
}

/// Keeps what became of an event so far.
pub(crate) fn put_progress(tx: &Tx, key: &EventKey, progress: &ProgressRecord) {
    key.progress().put(tx, (key.request_id.as_str(),), progress);
}

/// The event has ended.
pub(crate) fn delete(tx: &Tx, key: &EventKey) {
    key.events().delete(tx, (key.request_id.as_str(),));
    key.progress().delete(tx, (key.request_id.as_str(),));
}
