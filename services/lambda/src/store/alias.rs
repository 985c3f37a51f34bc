//! Aliases: names for versions, that can be pointed at others.

use std::collections::BTreeMap;

use apus_store::{StoreError, Table, Tx};
use minicbor::{Decode, Encode};

use super::{event_invoke, function, policy, space, version};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionId, FunctionReference, Qualifier};

/// An alias.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct AliasRecord {
    /// `$LATEST` or a number.
    #[n(0)]
    pub(crate) version: String,
    #[n(1)]
    pub(crate) description: String,
    /// Other versions, each with its share of the invocations, from 0 to 1.
    #[n(2)]
    pub(crate) weights: BTreeMap<String, f64>,
    #[n(3)]
    pub(crate) revision: String,
}

pub(super) fn aliases(id: &FunctionId) -> Table<AliasRecord> {
    Table::new(space(id).sub(("alias",)))
}

/// The alias, if there is one of that name.
pub(crate) async fn get(tx: &Tx, id: &FunctionId, name: &str) -> Result<Option<AliasRecord>, StoreError> {
    aliases(id).get(tx, (id.name.as_str(), name)).await
}

/// Makes or changes an alias.
pub(crate) fn put(tx: &Tx, id: &FunctionId, name: &str, record: &AliasRecord) {
    aliases(id).put(tx, (id.name.as_str(), name), record);
}

/// Deletes an alias with its policy.
pub(crate) fn delete(tx: &Tx, id: &FunctionId, name: &str) {
    aliases(id).delete(tx, (id.name.as_str(), name));
    policy::delete(tx, id, name);
    event_invoke::delete(tx, id, name);
}

/// At most `limit` aliases in the order of their names, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    id: &FunctionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, AliasRecord)>, StoreError> {
    let table = aliases(id);
    let mut range = table.range((id.name.as_str(),));
    if let Some(after) = after {
        range = range.after(&table.space().key((id.name.as_str(), after)));
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter()
        .map(|(key, record)| Ok((table.space().unpack::<(String, String)>(&key)?.1, record)))
        .collect()
}

/// Refuses an alias of a function or to a version that is not there.
pub(crate) async fn check_versions(
    tx: &Tx,
    function: &FunctionReference,
    record: &AliasRecord,
) -> Result<(), Failure> {
    if function::get(tx, &function.id).await?.is_none() {
        return Err(errors::function_not_found(function).into());
    }
    for version in std::iter::once(&record.version).chain(record.weights.keys()) {
        let there = match Qualifier::of(version) {
            Qualifier::Latest => true,
            Qualifier::Version(number) => version::get(tx, &function.id, number).await?.is_some(),
            Qualifier::Alias(_) => false,
        };
        if !there {
            return Err(errors::function_not_found(&function.with_qualifier(version)).into());
        }
    }
    Ok(())
}
