//! What invocations run of a function while the last update of `$LATEST` is under way, or has failed: the content
//! before it, with its blobs.

use apus_store::{BlobId, StoreError, Table, Tx};

use super::function::FunctionRecord;
use super::space;
use crate::function_name::FunctionId;

/// Stands where a holder of blobs has a version.
const HOLDER: &str = "$RUNNING";

pub(super) fn contents(id: &FunctionId) -> Table<FunctionRecord> {
    Table::new(space(id).sub(("running",)))
}

pub(super) fn holder(id: &FunctionId) -> String {
    id.qualified_arn(HOLDER).to_string()
}

/// What runs, if it is not `$LATEST` as it is shown.
pub(crate) async fn get(tx: &Tx, id: &FunctionId) -> Result<Option<FunctionRecord>, StoreError> {
    contents(id).get(tx, (id.name.as_str(),)).await
}

/// Keeps what runs, before `$LATEST` is changed.
pub(super) fn keep(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    contents(id).put(tx, (id.name.as_str(),), record);
    record.hold(tx, &holder(id));
}

/// Lets `$LATEST` run as it is shown; the blobs that are nobody's now.
pub(super) async fn forget(tx: &Tx, id: &FunctionId) -> Result<Vec<BlobId>, StoreError> {
    let Some(record) = get(tx, id).await? else { return Ok(Vec::new()) };
    contents(id).delete(tx, (id.name.as_str(),));
    record.release(tx, &holder(id)).await
}
