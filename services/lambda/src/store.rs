//! Every key of Lambda.
//!
//! ```text
//! account region "lambda" "function" name              → FunctionRecord
//! account region "lambda" "package"  revision number   → a piece of the code package
//! ```
//!
//! Invariant: a function's record and all pieces of its package are written and deleted in one transaction.

use std::collections::BTreeMap;

use apus_store::{Direction, Key, Keyspace, StoreError, Table, Tx};
use bytes::{Bytes, BytesMut};
use minicbor::{Decode, Encode};

use crate::code::package::{CodeHash, UPLOAD_BYTES_MAX};
use crate::function_name::FunctionId;

const SERVICE: &str = "lambda";
/// A piece of a package, in bytes.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

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

fn package(id: &FunctionId, revision: &str) -> Keyspace {
    space(id).sub(("package", revision))
}

/// The function, if there is one.
pub(crate) async fn function(tx: &Tx, id: &FunctionId) -> Result<Option<FunctionRecord>, StoreError> {
    functions(id).get(tx, (id.name.as_str(),)).await
}

/// Makes a function with its package.
pub(crate) fn put_function(tx: &Tx, id: &FunctionId, record: &FunctionRecord, code: &Bytes) {
    functions(id).put(tx, (id.name.as_str(),), record);
    let pieces = package(id, &record.revision);
    for (number, from) in (0..code.len()).step_by(PIECE_BYTES).enumerate() {
        let piece = code.slice(from..code.len().min(from + PIECE_BYTES));
        tx.put(&pieces.key((number as u64,)), piece);
    }
}

/// Deletes a function with its package.
pub(crate) fn delete_function(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).delete(tx, (id.name.as_str(),));
    tx.delete_range(&package(id, &record.revision).all());
}

/// The package of a function; nothing if the function is gone.
pub(crate) async fn code(
    tx: &Tx,
    id: &FunctionId,
    record: &FunctionRecord,
) -> Result<Option<Bytes>, StoreError> {
    let pieces = package(id, &record.revision).all();
    let rows = tx.range(&pieces, UPLOAD_BYTES_MAX / PIECE_BYTES + 1, Direction::Forward).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut code = BytesMut::with_capacity(record.code_bytes as usize);
    for (_, piece) in &rows {
        code.extend_from_slice(piece);
    }
    let code = code.freeze();
    if CodeHash::of(&code) == record.code_hash()? {
        return Ok(Some(code));
    }
    Err(StoreError::Corrupt {
        place: format!("the code package of {}", id.arn()),
        detail: "its bytes do not have the hash that was stored".into(),
    })
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
