//! An event source mapping is on the list of all, and is the one of its source and function.

use apus_store::StoreError;
use apus_store::fsck::Look;

use super::super::mapping;
use super::Scope;
use crate::mapping::id::MappingId;

pub(super) async fn check(look: &mut Look, scope: &Scope) -> Result<(), StoreError> {
    let id = |uuid: String| MappingId { account: scope.account, region: scope.region.clone(), uuid };
    let mut records = look.records(mapping::mappings(&id(String::new())));
    while let Some(((uuid,), record)) = records.next::<(String,)>(look).await? {
        let (tx, id) = (look.tx(), id(uuid));
        if mapping::of_pair(&tx, &id, &record).await?.as_ref() != Some(&id.uuid) {
            look.finding(id.arn().to_string(), "it is not the mapping of its source and function");
        }
        let key = (id.account.as_str(), id.region.as_str(), id.uuid.as_str());
        if tx.get(&mapping::all().key(key)).await?.is_none() {
            look.finding(id.arn().to_string(), "it is not among all mappings: nobody polls for it");
        }
    }
    let pairs = mapping::pairs(&id(String::new()));
    let mut rows = look.rows(pairs.all());
    while let Some((key, uuid)) = rows.next().await? {
        let Some((source, function)) = look.sound(pairs.unpack::<(String, String)>(&key))? else { continue };
        let id = id(String::from_utf8_lossy(&uuid).into_owned());
        let record = mapping::get(&look.tx(), &id).await;
        let Some(record) = look.sound(record)? else { continue };
        let is_its = record.is_some_and(|record| {
            record.source == source && record.function(&id).arn().to_string() == function
        });
        if !is_its {
            let detail = format!("it is said to be that of {source} and {function}, and is not");
            look.finding(id.arn().to_string(), detail);
        }
    }
    Ok(())
}

/// What is on the list of all is there.
pub(super) async fn check_all(look: &mut Look) -> Result<(), StoreError> {
    let mut rows = look.rows(mapping::all().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((account, region, uuid)) =
            look.sound(mapping::all().unpack::<(String, String, String)>(&key))?
        else {
            continue;
        };
        let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
            look.finding(format!("{key:?}"), "a mapping has no account or region");
            continue;
        };
        let id = MappingId { account, region, uuid };
        if !mapping::mappings(&id).contains(&look.tx(), (id.uuid.as_str(),)).await? {
            look.finding(id.arn().to_string(), "it is among all mappings, and is not there");
        }
    }
    Ok(())
}
