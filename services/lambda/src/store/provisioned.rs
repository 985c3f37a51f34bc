//! Provisioned concurrency, of a version or an alias: what was asked for.
//!
//! It counts towards what the account's functions have for themselves, unless it lies within the function's own
//! reservation.

use apus_store::{Direction, Keyspace, StoreError, Table, Tx};
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::{SERVICE, function, space};
use crate::function_name::FunctionId;

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ProvisionedRecord {
    /// Environments that are to stand.
    #[n(0)]
    pub(crate) requested: u32,
    #[n(1)]
    pub(crate) modified_at_micros: i64,
}

pub(super) fn configs(id: &FunctionId) -> Table<ProvisionedRecord> {
    Table::new(space(id).sub(("provisioned",)))
}

/// Every function of every account and region that has a configuration.
pub(super) fn all() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("provisioned",))
}

/// The configuration of the version or alias.
pub(crate) async fn get(
    tx: &Tx,
    id: &FunctionId,
    qualifier: &str,
) -> Result<Option<ProvisionedRecord>, StoreError> {
    configs(id).get(tx, (id.name.as_str(), qualifier)).await
}

/// At most `limit` configurations in the order of their qualifiers, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    id: &FunctionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, ProvisionedRecord)>, StoreError> {
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

/// What is asked for of the whole function. There are no more configurations than the account's quota has units.
pub(crate) async fn total(tx: &Tx, id: &FunctionId) -> Result<u32, StoreError> {
    Ok(list(tx, id, None, usize::MAX).await?.iter().map(|(_, record)| record.requested).sum())
}

/// Sets a configuration. The caller has counted it.
pub(crate) fn put(tx: &Tx, id: &FunctionId, qualifier: &str, record: &ProvisionedRecord) {
    configs(id).put(tx, (id.name.as_str(), qualifier), record);
    tx.put(&all().key((id.account.as_str(), id.region.as_str(), id.name.as_str())), Bytes::new());
}

/// Forgets the configuration of a version or alias, if it has one, of a function with that reservation.
pub(crate) async fn delete(
    tx: &Tx,
    id: &FunctionId,
    reserved: Option<u32>,
    qualifier: &str,
) -> Result<(), StoreError> {
    let mut configs_left = list(tx, id, None, usize::MAX).await?;
    let Some(at) = configs_left.iter().position(|(own, _)| own == qualifier) else { return Ok(()) };
    let (_, record) = configs_left.remove(at);
    configs(id).delete(tx, (id.name.as_str(), qualifier));
    if reserved.is_none() {
        function::reserved(id).add(tx, -i64::from(record.requested));
    }
    if configs_left.is_empty() {
        forget(tx, id);
    }
    Ok(())
}

/// Forgets every configuration of a function. The caller has counted them.
pub(super) fn delete_all(tx: &Tx, id: &FunctionId) {
    tx.delete_range(&configs(id).range((id.name.as_str(),)));
    forget(tx, id);
}

fn forget(tx: &Tx, id: &FunctionId) {
    tx.delete(&all().key((id.account.as_str(), id.region.as_str(), id.name.as_str())));
}

/// At most `limit` functions with configurations, of all accounts and regions, those after `after` only.
pub(crate) async fn list_all(
    tx: &Tx,
    after: Option<&FunctionId>,
    limit: usize,
) -> Result<Vec<FunctionId>, StoreError> {
    let space = all();
    let mut range = space.range(());
    if let Some(id) = after {
        range = range.after(&space.key((id.account.as_str(), id.region.as_str(), id.name.as_str())));
    }
    let corrupt = |detail: String| StoreError::Corrupt {
        place: "the list of functions with provisioned concurrency".into(),
        detail,
    };
    let mut found = Vec::new();
    for (key, _) in tx.range(&range, limit, Direction::Forward).await? {
        let (account, region, name) = space.unpack::<(String, String, String)>(&key)?;
        found.push(FunctionId {
            account: account.parse().map_err(|error| corrupt(format!("{error}")))?,
            region: region.parse().map_err(|error| corrupt(format!("{error}")))?,
            name,
        });
    }
    Ok(found)
}
