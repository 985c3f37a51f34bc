//! Layers: versions of shared files, each for itself. A version that is deleted stays for those that use it.

use apus_store::{BlobId, Keyspace, StoreError, Table, Tx};
use minicbor::{Decode, Encode};

use super::policy::StatementRecord;
use super::{SERVICE, blob};
use crate::code::package::CodeHash;
use crate::layer_name::LayerId;

/// A version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct LayerRecord {
    #[n(0)]
    pub(crate) description: String,
    #[n(1)]
    pub(crate) created_at_micros: i64,
    #[n(2)]
    pub(crate) content: LayerContent,
    #[n(3)]
    pub(crate) runtimes: Option<Vec<String>>,
    #[n(4)]
    pub(crate) architectures: Option<Vec<String>>,
    #[n(5)]
    pub(crate) license: Option<String>,
    /// Its policy, where it has one.
    #[n(6)]
    pub(crate) statements: Vec<StatementRecord>,
    /// The revision of its policy.
    #[n(7)]
    pub(crate) policy_revision: String,
}

/// What is in a layer version, as it and the functions that use it know it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct LayerContent {
    /// The ARN of the version.
    #[n(0)]
    pub(crate) arn: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) sha256: Vec<u8>,
    #[n(2)]
    pub(crate) bytes: u64,
    #[n(3)]
    pub(crate) unpacked_bytes: u64,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) blob: [u8; 16],
}

impl LayerContent {
    pub(crate) fn hash(&self) -> Result<CodeHash, StoreError> {
        CodeHash::from_slice(&self.sha256).ok_or_else(|| StoreError::Corrupt {
            place: self.arn.clone(),
            detail: "its hash has another length than SHA-256".into(),
        })
    }

    pub(crate) fn blob(&self) -> BlobId {
        BlobId::from(self.blob)
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct NumberRecord {
    #[n(0)]
    last: u64,
}

fn space(id: &LayerId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE)
}

pub(super) fn layers(id: &LayerId) -> Table<LayerRecord> {
    Table::new(space(id).sub(("layer",)))
}

fn numbers(id: &LayerId) -> Table<NumberRecord> {
    Table::new(space(id).sub(("layer-number",)))
}

/// The number of the next version, which is taken by asking.
pub(crate) async fn next_number(tx: &Tx, id: &LayerId) -> Result<u64, StoreError> {
    let last = numbers(id).get(tx, (id.name.as_str(),)).await?.map_or(0, |record| record.last);
    numbers(id).put(tx, (id.name.as_str(),), &NumberRecord { last: last + 1 });
    Ok(last + 1)
}

/// A version, if there is one of that number.
pub(crate) async fn get(tx: &Tx, id: &LayerId, number: u64) -> Result<Option<LayerRecord>, StoreError> {
    layers(id).get(tx, (id.name.as_str(), number)).await
}

/// Changes what is not content of a version.
pub(crate) fn put(tx: &Tx, id: &LayerId, number: u64, record: &LayerRecord) {
    layers(id).put(tx, (id.name.as_str(), number), record);
}

/// Makes a version, whose blob is finished.
pub(crate) fn create(tx: &Tx, id: &LayerId, number: u64, record: &LayerRecord) {
    put(tx, id, number, record);
    blob::hold(tx, record.content.blob(), &record.content.arn);
}

/// Deletes a version; its blob, if nobody needs it.
pub(crate) async fn delete(
    tx: &Tx,
    id: &LayerId,
    number: u64,
    record: &LayerRecord,
) -> Result<Option<BlobId>, StoreError> {
    layers(id).delete(tx, (id.name.as_str(), number));
    blob::release(tx, record.content.blob(), &record.content.arn).await
}

/// All versions of a layer, by number.
pub(crate) async fn versions(tx: &Tx, id: &LayerId) -> Result<Vec<(u64, LayerRecord)>, StoreError> {
    let table = layers(id);
    let rows = table.list(tx, &table.range((id.name.as_str(),)), usize::MAX).await?;
    rows.into_iter()
        .map(|(key, record)| Ok((table.space().unpack::<(String, u64)>(&key)?.1, record)))
        .collect()
}

/// Names of layers that ever had a version, at most `limit`, those after `after` only.
pub(crate) async fn names(
    tx: &Tx,
    any: &LayerId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let table = numbers(any);
    let mut range = table.range(());
    if let Some(after) = after {
        range = range.after(&table.space().key((after,)));
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter().map(|(key, _)| Ok(table.space().unpack::<(String,)>(&key)?.0)).collect()
}
