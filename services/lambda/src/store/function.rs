//! Functions: what is being edited, and what all their versions share.

use std::collections::BTreeMap;

use apus_store::{BlobId, Counter, Key, StoreError, Table, Tx};
use minicbor::{Decode, Encode};

use super::{blob, space};
use crate::code::package::CodeHash;
use crate::function_name::FunctionId;

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FunctionRecord {
    #[n(0)]
    pub(crate) runtime: String,
    #[n(1)]
    pub(crate) role: String,
    #[n(2)]
    pub(crate) handler: String,
    #[n(3)]
    pub(crate) description: String,
    #[n(4)]
    pub(crate) timeout_secs: u32,
    #[n(5)]
    pub(crate) memory_mb: u32,
    #[n(6)]
    pub(crate) tmp_mb: u32,
    /// Absent if none were ever given, which answers show.
    #[n(7)]
    pub(crate) variables: Option<BTreeMap<String, String>>,
    #[n(8)]
    pub(crate) architecture: String,
    #[n(9)]
    pub(crate) log_group: String,
    #[n(10)]
    pub(crate) tags: BTreeMap<String, String>,
    /// Of code and configuration: changes with every change, never comes back.
    #[n(11)]
    pub(crate) revision: String,
    #[n(12)]
    pub(crate) modified_at_micros: i64,
    #[cbor(n(13), with = "minicbor::bytes")]
    pub(crate) code_sha256: Vec<u8>,
    #[n(14)]
    pub(crate) code_bytes: u64,
    /// The blob that holds the code package.
    #[cbor(n(15), with = "minicbor::bytes")]
    pub(crate) code_blob: [u8; 16],
    /// How much of the account's concurrency is this function's alone, and no more.
    #[n(16)]
    pub(crate) reserved_concurrency: Option<u32>,
}

impl FunctionRecord {
    /// The hash of the code package.
    pub(crate) fn code_hash(&self) -> Result<CodeHash, StoreError> {
        CodeHash::from_slice(&self.code_sha256).ok_or_else(|| StoreError::Corrupt {
            place: format!("the function with revision {}", self.revision),
            detail: "its code's hash has another length than SHA-256".into(),
        })
    }

    /// The blob that holds the code package.
    pub(crate) fn blob(&self) -> BlobId {
        BlobId::from(self.code_blob)
    }
}

fn functions(id: &FunctionId) -> Table<FunctionRecord> {
    Table::new(space(id).sub(("function",)))
}

/// What all functions of the account in the region have reserved together.
pub(crate) fn reserved(id: &FunctionId) -> Counter {
    Counter::new(space(id).key(("reserved",)))
}

/// The function, if there is one.
pub(crate) async fn get(tx: &Tx, id: &FunctionId) -> Result<Option<FunctionRecord>, StoreError> {
    functions(id).get(tx, (id.name.as_str(),)).await
}

/// Changes a function, but not its code.
pub(crate) fn put(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).put(tx, (id.name.as_str(),), record);
}

/// Makes a function, whose code's blob is finished.
pub(crate) fn create(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    put(tx, id, record);
    blob::refer(tx, record.blob());
}

/// Deletes a function; its code's blob is then nobody's.
pub(crate) fn delete(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).delete(tx, (id.name.as_str(),));
    if let Some(own) = record.reserved_concurrency {
        reserved(id).add(tx, -i64::from(own));
    }
    blob::forget(tx, record.blob());
}

/// At most `limit` functions in the order of their names, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    any: &FunctionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, FunctionRecord)>, StoreError> {
    let table = functions(any);
    let mut range = table.range(());
    if let Some(after) = after {
        let key: Key = table.space().key((after,));
        range = range.after(&key);
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter().map(|(key, record)| Ok((table.space().unpack::<(String,)>(&key)?.0, record))).collect()
}
