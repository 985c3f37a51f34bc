//! What functions have for themselves is what they reserve, or without that what is provisioned of them.

use std::collections::BTreeMap;

use apus_store::StoreError;
use apus_store::fsck::Look;

use super::super::{function, provisioned};
use super::Scope;
use crate::function_name::FunctionId;

pub(super) async fn check(look: &mut Look, scope: &Scope) -> Result<(), StoreError> {
    let any = scope.function("");
    let place = format!("functions of {} in {}", scope.account, scope.region);
    // There are no more of these than the account's quota has units.
    let mut totals = BTreeMap::<String, u32>::new();
    let mut records = look.records(provisioned::configs(&any));
    while let Some(((name, _), record)) = records.next::<(String, String)>(look).await? {
        let total = totals.entry(name).or_default();
        *total = total.saturating_add(record.requested);
    }
    let mut sum = 0;
    let mut records = look.records(function::functions(&any));
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let total = totals.remove(&name);
        sum += i64::from(record.reserved_concurrency.or(total).unwrap_or(0));
        if total.is_some() {
            check_listed(look, &scope.function(&name)).await?;
        }
    }
    for name in totals.keys() {
        let arn = scope.function(name).arn().to_string();
        look.finding(arn, "it has provisioned concurrency, and is not there");
    }
    let counted = function::reserved(&any).get(&look.tx()).await;
    if let Some(counted) = look.sound(counted)?
        && counted != sum
    {
        look.finding(
            place,
            format!("{counted} of the concurrency are counted as their own, and they have {sum}"),
        );
    }
    Ok(())
}

async fn check_listed(look: &mut Look, id: &FunctionId) -> Result<(), StoreError> {
    let key = (id.account.as_str(), id.region.as_str(), id.name.as_str());
    if look.tx().get(&provisioned::all().key(key)).await?.is_none() {
        look.finding(id.arn().to_string(), "it has provisioned concurrency, and nobody provides it");
    }
    Ok(())
}

/// Functions on the list of those with provisioned concurrency have some.
pub(super) async fn check_all(look: &mut Look) -> Result<(), StoreError> {
    let mut rows = look.rows(provisioned::all().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((account, region, name)) =
            look.sound(provisioned::all().unpack::<(String, String, String)>(&key))?
        else {
            continue;
        };
        let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
            look.finding(
                format!("{key:?}"),
                "a function with provisioned concurrency has no account or region",
            );
            continue;
        };
        let id = FunctionId { account, region, name };
        let configs = provisioned::configs(&id);
        if look.rows(configs.range((id.name.as_str(),))).next().await?.is_none() {
            look.finding(id.arn().to_string(), "it is listed with provisioned concurrency, and has none");
        }
    }
    Ok(())
}
