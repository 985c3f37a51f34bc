//! Which version or alias may have how much provisioned concurrency.

use std::collections::BTreeMap;

use apus_store::Tx;

use crate::errors::{self, Failure};
use crate::function_name::{FunctionReference, LATEST, Qualifier};
use crate::store::alias::AliasRecord;
use crate::store::provisioned::{self, ProvisionedRecord};
use crate::store::{alias, version};

/// A version or alias that was named, with everything that says what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) qualifier: String,
    /// The alias, if it is one.
    pub(crate) alias: Option<AliasRecord>,
}

/// The version or alias that a request names, which is there. `$LATEST` is refused with that error.
pub(crate) async fn named(
    tx: &Tx,
    function: &FunctionReference,
    latest: fn() -> apus_schema::ServiceError,
) -> Result<Named, Failure> {
    let id = &function.id;
    match function.qualifier() {
        Qualifier::Latest => Err(latest().into()),
        Qualifier::Version(number) => match version::get(tx, id, number).await? {
            Some(_) => Ok(Named { qualifier: number.to_string(), alias: None }),
            None => Err(errors::function_not_found(function).into()),
        },
        Qualifier::Alias(name) => match alias::get(tx, id, &name).await? {
            Some(alias) => Ok(Named { qualifier: name, alias: Some(alias) }),
            None => Err(errors::no_alias(id, &name).into()),
        },
    }
}

/// Refuses what an alias with provisioned concurrency may not lead to: what is no version, and a version with a
/// configuration of its own.
pub(crate) fn check_alias(
    alias: &AliasRecord,
    configs: &[(String, ProvisionedRecord)],
) -> Result<(), apus_schema::ServiceError> {
    if alias.version == LATEST {
        return Err(errors::provisioned_unpublished());
    }
    let leads_to = |version: &String| *version == alias.version || alias.weights.contains_key(version);
    if configs.iter().any(|(qualifier, _)| leads_to(qualifier)) {
        return Err(errors::provisioned_version_of_alias());
    }
    Ok(())
}

/// Refuses to provision a version to which a provisioned alias leads.
pub(crate) fn check_version(
    version: &str,
    configs: &[(String, ProvisionedRecord)],
    aliases: &BTreeMap<String, AliasRecord>,
) -> Result<(), apus_schema::ServiceError> {
    let pointed = configs.iter().filter_map(|(qualifier, _)| aliases.get(qualifier));
    for alias in pointed {
        if alias.version == version || alias.weights.contains_key(version) {
            return Err(errors::provisioned_alias_of_version());
        }
    }
    Ok(())
}

/// The aliases among what is configured.
pub(crate) async fn aliases(
    tx: &Tx,
    id: &crate::function_name::FunctionId,
    configs: &[(String, ProvisionedRecord)],
) -> Result<BTreeMap<String, AliasRecord>, Failure> {
    let mut aliases = BTreeMap::new();
    for (qualifier, _) in configs {
        if let Qualifier::Alias(name) = Qualifier::of(qualifier)
            && let Some(alias) = alias::get(tx, id, &name).await?
        {
            aliases.insert(name, alias);
        }
    }
    Ok(aliases)
}

/// The configurations of a function, with its aliases among them.
pub(crate) async fn configured(
    tx: &Tx,
    id: &crate::function_name::FunctionId,
) -> Result<(Vec<(String, ProvisionedRecord)>, BTreeMap<String, AliasRecord>), Failure> {
    let configs = provisioned::list(tx, id, None, usize::MAX).await?;
    let aliases = aliases(tx, id, &configs).await?;
    Ok((configs, aliases))
}
