//! From a name to the version that it leads to.

use std::collections::BTreeMap;

use apus_store::{StoreError, Tx};

use super::policy::PolicyRecord;
use super::{FunctionRecord, alias, function, policy, running, version};
use crate::alias::choose;
use crate::function_name::{FunctionReference, LATEST, Qualifier};

/// What a name leads to.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// `$LATEST` or a number.
    pub(crate) version: String,
    /// As it is shown.
    pub(crate) record: FunctionRecord,
    /// What invocations run instead, while an update is not through.
    running: Option<FunctionRecord>,
    /// What all versions share.
    pub(crate) reserved_concurrency: Option<u32>,
    pub(crate) tags: BTreeMap<String, String>,
    /// What functions of its account and region have for themselves.
    pub(crate) reserved_total: i64,
    /// Whether it may be led to by its own doing without end.
    pub(crate) may_recurse: bool,
}

impl Found {
    /// What invocations run.
    pub(crate) fn content(&self) -> &FunctionRecord {
        self.running.as_ref().unwrap_or(&self.record)
    }
}

/// The version that a name leads to. Of an alias that leads to several, `chance` (from 0 to below 1) decides.
pub(crate) async fn find(
    tx: &Tx,
    function: &FunctionReference,
    chance: Option<f64>,
) -> Result<Option<Found>, StoreError> {
    let id = &function.id;
    let Some(latest) = function::get(tx, id).await? else { return Ok(None) };
    let qualifier = match function.qualifier() {
        Qualifier::Alias(name) => {
            let Some(alias) = alias::get(tx, id, &name).await? else { return Ok(None) };
            let version = chance.map_or(alias.version.as_str(), |chance| choose(&alias, chance));
            Qualifier::of(version)
        }
        other => other,
    };
    let (reserved_concurrency, tags) = (latest.reserved_concurrency, latest.tags.clone());
    let reserved_total = function::reserved(id).get(tx).await?;
    let may_recurse = latest.may_recurse();
    let mut content = None;
    let (version, record) = match qualifier {
        Qualifier::Latest => {
            if latest.update.is_some() {
                content = running::get(tx, id).await?;
            }
            (LATEST.to_owned(), Some(latest))
        }
        Qualifier::Version(number) => (number.to_string(), version::get(tx, id, number).await?),
        Qualifier::Alias(_) => return Ok(None),
    };
    Ok(record.map(|record| Found {
        version,
        record,
        running: content,
        reserved_concurrency,
        tags,
        reserved_total,
        may_recurse,
    }))
}

/// The same, with the policy of what was named.
pub(crate) async fn find_with_policy(
    tx: &Tx,
    function: &FunctionReference,
    chance: Option<f64>,
) -> Result<(Option<PolicyRecord>, Option<Found>), StoreError> {
    let policy = policy::get(tx, &function.id, function.qualifier.as_deref()).await?;
    Ok((policy, find(tx, function, chance).await?))
}
