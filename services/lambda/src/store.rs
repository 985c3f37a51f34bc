//! Every key of Lambda.
//!
//! ```text
//! account region "lambda" "function" name   → FunctionRecord
//! ""      ""     "lambda" "blob"     id     → nothing: a blob that a function's code is in
//! ```
//!
//! Invariants: a function's code is in one blob, which is that function's alone and was finished before the
//! record was written; the record and the blob's entry are written and deleted in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use apus_store::{BlobId, Direction, Key, Keyspace, Store, StoreError, Table, Tx};
use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::code::package::{CodeHash, UPLOAD_BYTES_MAX};
use crate::function_name::FunctionId;

const SERVICE: &str = "lambda";
/// References to blobs that are read at once.
const REFERENCES_PAGE: usize = 1_000;

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
}

impl FunctionRecord {
    /// The hash of the code package.
    pub(crate) fn code_hash(&self) -> Result<CodeHash, StoreError> {
        CodeHash::from_slice(&self.code_sha256).ok_or_else(|| StoreError::Corrupt {
            place: format!("the function with revision {}", self.revision),
            detail: "its code's hash has another length than SHA-256".into(),
        })
    }
}

fn space(id: &FunctionId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE)
}

fn functions(id: &FunctionId) -> Table<FunctionRecord> {
    Table::new(space(id).sub(("function",)))
}

fn references() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("blob",))
}

/// The function, if there is one.
pub(crate) async fn function(tx: &Tx, id: &FunctionId) -> Result<Option<FunctionRecord>, StoreError> {
    functions(id).get(tx, (id.name.as_str(),)).await
}

/// Makes a function, whose code's blob is finished.
pub(crate) fn put_function(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).put(tx, (id.name.as_str(),), record);
    tx.put(&references().key((record.code_blob.to_vec(),)), Bytes::new());
}

/// Deletes a function; its code's blob is then nobody's.
pub(crate) fn delete_function(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).delete(tx, (id.name.as_str(),));
    tx.delete(&references().key((record.code_blob.to_vec(),)));
}

/// The package of a function; nothing if the function is gone by now.
pub(crate) async fn code(
    store: &Store,
    id: &FunctionId,
    record: &FunctionRecord,
) -> Result<Option<Bytes>, StoreError> {
    let Some(blob) = store.blobs().open_blob(BlobId::from(record.code_blob)).await? else { return Ok(None) };
    let code = blob.read_all(UPLOAD_BYTES_MAX).await?;
    if CodeHash::of(&code) == record.code_hash()? {
        return Ok(Some(code));
    }
    Err(StoreError::Corrupt {
        place: format!("the code package of {}", id.arn()),
        detail: "its bytes do not have the hash that was stored".into(),
    })
}

/// Every blob that a function's code is in.
pub(crate) async fn referenced_blobs(store: &Store) -> Result<BTreeSet<BlobId>, StoreError> {
    let mut found = BTreeSet::new();
    let mut rest = references().all();
    loop {
        let range = rest.clone();
        let page =
            store.read(|tx| async move { tx.range(&range, REFERENCES_PAGE, Direction::Forward).await });
        let page = page.await?;
        for (key, _) in &page {
            let (id,): (Vec<u8>,) = references().unpack(key)?;
            let id: [u8; 16] = id.try_into().map_err(|_| StoreError::Corrupt {
                place: format!("{key:?}"),
                detail: "the reference is no blob's id".into(),
            })?;
            found.insert(BlobId::from(id));
        }
        match page.last() {
            Some((last, _)) if page.len() == REFERENCES_PAGE => rest = rest.after(last),
            _ => return Ok(found),
        }
    }
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
