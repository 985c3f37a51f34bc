//! Published versions: `$LATEST` as it was, under a number that never comes back.

use apus_store::{BlobId, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::function::{self, FunctionRecord, Published};
use super::stage::{self, Unready};
use super::{event_invoke, policy, space};
use crate::function_name::{FunctionId, LATEST};

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct NumberRecord {
    #[n(0)]
    pub(super) last: u64,
}

pub(super) fn versions(id: &FunctionId) -> Table<FunctionRecord> {
    Table::new(space(id).sub(("version",)))
}

pub(super) fn numbers(id: &FunctionId) -> Table<NumberRecord> {
    Table::new(space(id).sub(("number",)))
}

/// A version, if there is one of that number.
pub(crate) async fn get(tx: &Tx, id: &FunctionId, number: u64) -> Result<Option<FunctionRecord>, StoreError> {
    versions(id).get(tx, (id.name.as_str(), number)).await
}

/// Changes what is not code or configuration of a version.
pub(crate) fn put(tx: &Tx, id: &FunctionId, number: u64, record: &FunctionRecord) {
    versions(id).put(tx, (id.name.as_str(), number), record);
}

/// What a publication needs beside the function.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// The version's own description.
    pub(crate) description: Option<String>,
    /// The revisions of the version, and of `$LATEST` after it.
    pub(crate) revisions: [String; 2],
    pub(crate) now: Timestamp,
}

/// Makes a version of `$LATEST`, and writes both; it is as ready as that. If `$LATEST` is what the last version was made of, that version
/// is the answer.
pub(crate) async fn publish(
    tx: &Tx,
    id: &FunctionId,
    latest: &mut FunctionRecord,
    publication: Publication,
) -> Result<(u64, FunctionRecord), StoreError> {
    let content = latest.content_hash();
    if let Some(published) = latest.published.as_ref().filter(|published| published.content == content)
        && let Some(version) = get(tx, id, published.version).await?
    {
        function::put(tx, id, latest);
        return Ok((published.version, version));
    }
    let last = numbers(id).get(tx, (id.name.as_str(),)).await?.map_or(0, |record| record.last);
    let number = last + 1;
    numbers(id).put(tx, (id.name.as_str(),), &NumberRecord { last: number });
    let Publication { description, revisions: [own, next], now } = publication;
    let mut version = FunctionRecord {
        tags: std::collections::BTreeMap::new(),
        reserved_concurrency: None,
        published: None,
        recursive_loop: None,
        code_signing: None,
        state: latest.state.clone().or_else(|| latest.update.clone()),
        update: None,
        ..latest.clone()
    };
    if version.state.is_some() {
        stage::put(tx, &Unready::version(id, number));
    }
    version.changed(own, now);
    version.description = description.unwrap_or(version.description);
    latest.published = Some(Published { version: number, content });
    latest.touched(next);
    latest.hold(tx, &id.qualified_arn(LATEST).to_string());
    version.hold(tx, &id.qualified_arn(&number.to_string()).to_string());
    function::put(tx, id, latest);
    put(tx, id, number, &version);
    Ok((number, version))
}

/// Deletes a version with its policy; the blobs that are nobody's now.
pub(crate) async fn delete(
    tx: &Tx,
    id: &FunctionId,
    number: u64,
    record: &FunctionRecord,
) -> Result<Vec<BlobId>, StoreError> {
    versions(id).delete(tx, (id.name.as_str(), number));
    stage::delete(tx, &Unready::version(id, number));
    policy::delete(tx, id, &number.to_string());
    event_invoke::delete(tx, id, &number.to_string());
    record.release(tx, &id.qualified_arn(&number.to_string()).to_string()).await
}

/// At most `limit` versions in the order of their numbers, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    id: &FunctionId,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, FunctionRecord)>, StoreError> {
    let table = versions(id);
    let mut range = table.range((id.name.as_str(),));
    if let Some(after) = after {
        range = range.after(&table.space().key((id.name.as_str(), after)));
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter()
        .map(|(key, record)| Ok((table.space().unpack::<(String, u64)>(&key)?.1, record)))
        .collect()
}
