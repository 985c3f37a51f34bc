//! What is to become of asynchronous invocations, for a function, a version or an alias.

use apus_store::{StoreError, Table, Tx};
use minicbor::{Decode, Encode};

use super::space;
use crate::function_name::FunctionId;

/// A configuration; what is absent is Lambda's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct EventInvokeRecord {
    #[n(0)]
    pub(crate) modified_at_micros: i64,
    #[n(1)]
    pub(crate) retries_max: Option<u32>,
    #[n(2)]
    pub(crate) age_secs_max: Option<u32>,
    #[n(3)]
    pub(crate) on_success: Option<String>,
    #[n(4)]
    pub(crate) on_failure: Option<String>,
}

pub(super) fn configs(id: &FunctionId) -> Table<EventInvokeRecord> {
    Table::new(space(id).sub(("event-invoke",)))
}

/// The configuration of what has that qualifier, which is `$LATEST` for a function.
pub(crate) async fn get(
    tx: &Tx,
    id: &FunctionId,
    qualifier: &str,
) -> Result<Option<EventInvokeRecord>, StoreError> {
    configs(id).get(tx, (id.name.as_str(), qualifier)).await
}

/// Sets the configuration of what has that qualifier.
pub(crate) fn put(tx: &Tx, id: &FunctionId, qualifier: &str, record: &EventInvokeRecord) {
    configs(id).put(tx, (id.name.as_str(), qualifier), record);
}

/// Deletes the configuration of what has that qualifier.
pub(crate) fn delete(tx: &Tx, id: &FunctionId, qualifier: &str) {
    configs(id).delete(tx, (id.name.as_str(), qualifier));
}

/// Deletes every configuration of a function.
pub(super) fn delete_all(tx: &Tx, id: &FunctionId) {
    tx.delete_range(&configs(id).range((id.name.as_str(),)));
}

/// At most `limit` configurations in the order of their qualifiers, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    id: &FunctionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, EventInvokeRecord)>, StoreError> {
    let table = configs(id);
    let mut range = table.range((id.name.as_str(),));
    if let Some(after) = after {
        range = range.after(&table.space().key((id.name.as_str(), after)));
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter()
        .map(|(key, record)| Ok((table.space().unpack::<(String, String)>(&key)?.1, record)))
        .collect()
}
