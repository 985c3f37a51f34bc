//! Code signing configurations, and the functions that have one.

use apus_store::{Direction, Keyspace, StoreError, Table, Tx};
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::SERVICE;
use crate::code_signing::SigningId;

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct CodeSigningRecord {
    #[n(0)]
    pub(crate) description: Option<String>,
    /// ARNs of versions of signing profiles.
    #[n(1)]
    pub(crate) publishers: Vec<String>,
    /// What becomes of code that they have not signed, in the API's words.
    #[n(2)]
    pub(crate) untrusted: String,
    #[n(3)]
    pub(crate) modified_at_micros: i64,
}

fn space(id: &SigningId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE)
}

fn configs(id: &SigningId) -> Table<CodeSigningRecord> {
    Table::new(space(id).sub(("code-signing",)))
}

pub(super) fn users(id: &SigningId) -> Keyspace {
    space(id).sub(("code-signed",))
}

/// The configuration, if there is one.
pub(crate) async fn get(tx: &Tx, id: &SigningId) -> Result<Option<CodeSigningRecord>, StoreError> {
    configs(id).get(tx, (id.id.as_str(),)).await
}

pub(crate) fn put(tx: &Tx, id: &SigningId, record: &CodeSigningRecord) {
    configs(id).put(tx, (id.id.as_str(),), record);
}

/// Forgets a configuration that no function has.
pub(crate) fn delete(tx: &Tx, id: &SigningId) {
    configs(id).delete(tx, (id.id.as_str(),));
}

/// At most `limit` configurations in the order of their ids, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    any: &SigningId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, CodeSigningRecord)>, StoreError> {
    let table = configs(any);
    let mut range = table.range(());
    if let Some(after) = after {
        range = range.after(&table.space().key((after,)));
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter().map(|(key, record)| Ok((table.space().unpack::<(String,)>(&key)?.0, record))).collect()
}

/// Notes that a function has that configuration.
pub(crate) fn attach(tx: &Tx, id: &SigningId, function: &str) {
    tx.put(&users(id).key((id.id.as_str(), function)), Bytes::new());
}

/// Notes that it has it no more.
pub(crate) fn detach(tx: &Tx, id: &SigningId, function: &str) {
    tx.delete(&users(id).key((id.id.as_str(), function)));
}

/// At most `limit` names of functions that have it, those after `after` only.
pub(crate) async fn functions(
    tx: &Tx,
    id: &SigningId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let space = users(id);
    let mut range = space.range((id.id.as_str(),));
    if let Some(after) = after {
        range = range.after(&space.key((id.id.as_str(), after)));
    }
    let rows = tx.range(&range, limit, Direction::Forward).await?;
    rows.iter().map(|(key, _)| Ok(space.unpack::<(String, String)>(key)?.1)).collect()
}
