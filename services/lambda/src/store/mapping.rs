//! Event source mappings, by UUID; and which source and function have one, so that no two have the same.

use std::collections::BTreeMap;

use apus_store::{Direction, Keyspace, StoreError, Table, Tx};
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::SERVICE;
use crate::function_name::{FunctionId, FunctionReference};
use crate::mapping::id::MappingId;

/// A mapping. Members that other kinds of source have will be added under numbers of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MappingRecord {
    /// The ARN of what is polled.
    #[n(0)]
    pub(crate) source: String,
    /// The name of the function that is invoked, in the mapping's account and region.
    #[n(1)]
    pub(crate) function: String,
    #[n(2)]
    pub(crate) qualifier: Option<String>,
    /// In the API's words; with `Creating` and its like a change has not taken effect yet.
    #[n(3)]
    pub(crate) state: String,
    /// Whether it is to poll.
    #[n(4)]
    pub(crate) enabled: bool,
    #[n(5)]
    pub(crate) batch_size: u32,
    #[n(6)]
    pub(crate) window_secs: u32,
    /// Absent if none were ever given, which answers show.
    #[n(7)]
    pub(crate) filters: Option<Vec<String>>,
    #[n(8)]
    pub(crate) concurrency_max: Option<u32>,
    /// Whether the function says which records failed.
    #[n(9)]
    pub(crate) reports_failures: bool,
    #[n(10)]
    pub(crate) tags: BTreeMap<String, String>,
    #[n(11)]
    pub(crate) modified_at_micros: i64,
    /// Changes with every change of what is to be, and never comes back.
    #[n(12)]
    pub(crate) revision: String,
}

impl MappingRecord {
    /// The function that is invoked.
    pub(crate) fn function(&self, id: &MappingId) -> FunctionReference {
        let function =
            FunctionId { account: id.account, region: id.region.clone(), name: self.function.clone() };
        FunctionReference { id: function, qualifier: self.qualifier.clone() }
    }
}

pub(super) fn mappings(id: &MappingId) -> Table<MappingRecord> {
    let space = Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE);
    Table::new(space.sub(("mapping",)))
}

pub(super) fn pairs(id: &MappingId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE).sub(("mapping-pair",))
}

/// Every mapping of every account and region: those that pollers are started for.
pub(super) fn all() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("mapping",))
}

/// The mapping, if there is one.
pub(crate) async fn get(tx: &Tx, id: &MappingId) -> Result<Option<MappingRecord>, StoreError> {
    mappings(id).get(tx, (id.uuid.as_str(),)).await
}

/// The UUID of the mapping of that source and function.
pub(crate) async fn of_pair(
    tx: &Tx,
    id: &MappingId,
    record: &MappingRecord,
) -> Result<Option<String>, StoreError> {
    let key = pairs(id).key((record.source.as_str(), record.function(id).arn().to_string()));
    Ok(tx.get(&key).await?.map(|uuid| String::from_utf8_lossy(&uuid).into_owned()))
}

/// Makes a mapping, or changes `before`.
pub(crate) fn put(tx: &Tx, id: &MappingId, before: Option<&MappingRecord>, record: &MappingRecord) {
    let pair = |record: &MappingRecord| {
        pairs(id).key((record.source.as_str(), record.function(id).arn().to_string()))
    };
    if let Some(before) = before.filter(|before| pair(before) != pair(record)) {
        tx.delete(&pair(before));
    }
    if before.is_none_or(|before| pair(before) != pair(record)) {
        tx.put(&pair(record), Bytes::from(id.uuid.clone()));
    }
    if before.is_none() {
        let key = (id.account.as_str(), id.region.as_str(), id.uuid.as_str());
        tx.put(&all().key(key), Bytes::new());
    }
    mappings(id).put(tx, (id.uuid.as_str(),), record);
}

/// Forgets a mapping.
pub(crate) fn delete(tx: &Tx, id: &MappingId, record: &MappingRecord) {
    tx.delete(&pairs(id).key((record.source.as_str(), record.function(id).arn().to_string())));
    tx.delete(&all().key((id.account.as_str(), id.region.as_str(), id.uuid.as_str())));
    mappings(id).delete(tx, (id.uuid.as_str(),));
}

/// At most `limit` mappings of the account and region in the order of their UUIDs, those after `id`'s only.
pub(crate) async fn list(
    tx: &Tx,
    id: &MappingId,
    limit: usize,
) -> Result<Vec<(MappingId, MappingRecord)>, StoreError> {
    let table = mappings(id);
    let range = table.range(()).after(&table.space().key((id.uuid.as_str(),)));
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter()
        .map(|(key, record)| {
            let uuid = table.space().unpack::<(String,)>(&key)?.0;
            Ok((MappingId { uuid, ..id.clone() }, record))
        })
        .collect()
}

/// At most `limit` mappings of all accounts and regions, those after `after` only.
pub(crate) async fn list_all(
    tx: &Tx,
    after: Option<&MappingId>,
    limit: usize,
) -> Result<Vec<MappingId>, StoreError> {
    let space = all();
    let mut range = space.range(());
    if let Some(id) = after {
        range = range.after(&space.key((id.account.as_str(), id.region.as_str(), id.uuid.as_str())));
    }
    let corrupt = |detail: String| StoreError::Corrupt { place: "the list of all mappings".into(), detail };
    let mut found = Vec::new();
    for (key, _) in tx.range(&range, limit, Direction::Forward).await? {
        let (account, region, uuid) = space.unpack::<(String, String, String)>(&key)?;
        found.push(MappingId {
            account: account.parse().map_err(|error| corrupt(format!("{error}")))?,
            region: region.parse().map_err(|error| corrupt(format!("{error}")))?,
            uuid,
        });
    }
    Ok(found)
}
