//! What belongs to a function is a function's that is there, and what is to be made ready is known to be.

use apus_store::fsck::Look;
use apus_store::{StoreError, Table};

use super::super::function::{self, FunctionRecord};
use super::super::stage::{self, Stage, Unready};
use super::super::{alias, code_signing, event_invoke, policy, running, version};
use super::Scope;
use super::blobs::{self, Needed};
use crate::code_signing::SigningId;
use crate::function_name::{FunctionId, LATEST};

pub(super) async fn check(look: &mut Look, scope: &Scope, needed: &mut Needed) -> Result<(), StoreError> {
    let any = scope.function("");
    let mut records = look.records(function::functions(&any));
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let id = scope.function(&name);
        let arn = id.qualified_arn(LATEST).to_string();
        blobs::check_function(look, needed, &arn, &record).await?;
        check_pending(look, &arn, &Unready::latest(&id), &record).await?;
        check_update(look, &id, &record).await?;
        check_signing(look, &id, &record).await?;
    }
    let mut records = look.records(version::versions(&any));
    while let Some(((name, number), record)) = records.next::<(String, u64)>(look).await? {
        let id = scope.function(&name);
        let arn = id.qualified_arn(&number.to_string()).to_string();
        blobs::check_function(look, needed, &arn, &record).await?;
        check_pending(look, &arn, &Unready::version(&id, number), &record).await?;
        let last = version::numbers(&id).get(&look.tx(), (name.as_str(),)).await;
        let last = look.sound(last)?.flatten().map_or(0, |record| record.last);
        if number > last {
            look.finding(&arn, format!("the last number that was given is {last}: it would be given again"));
        }
    }
    let mut records = look.records(running::contents(&any));
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let id = scope.function(&name);
        let holder = running::holder(&id);
        blobs::check_function(look, needed, &holder, &record).await?;
        let latest = function::get(&look.tx(), &id).await;
        if look.sound(latest)?.is_some_and(|latest| latest.is_none_or(|latest| latest.update.is_none())) {
            look.finding(&holder, "it runs in place of an update, and there is none");
        }
    }
    check_owners(look, scope).await?;
    check_signed(look, scope).await
}

/// What is pending is on the list of what is to be made ready, or never would be.
async fn check_pending(
    look: &mut Look,
    arn: &str,
    unready: &Unready,
    record: &FunctionRecord,
) -> Result<(), StoreError> {
    if is_pending(record) && look.tx().get(&stage::all().key(unready.key())).await?.is_none() {
        look.finding(arn, "it is pending, and nobody will make it ready");
    }
    Ok(())
}

fn is_pending(record: &FunctionRecord) -> bool {
    [&record.state, &record.update].into_iter().any(|stage| *stage == Some(Stage::Pending))
}

/// What is on that list is pending.
pub(super) async fn check_unready(look: &mut Look) -> Result<(), StoreError> {
    let mut rows = look.rows(stage::all().all());
    while let Some((key, _)) = rows.next().await? {
        let parts = look.sound(stage::all().unpack::<(String, String, String, u64)>(&key))?;
        let Some((account, region, name, number)) = parts else { continue };
        let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
            look.finding(format!("{key:?}"), "what is to be made ready has no account or region");
            continue;
        };
        let id = FunctionId { account, region, name };
        let record = match number {
            0 => function::get(&look.tx(), &id).await,
            number => version::get(&look.tx(), &id, number).await,
        };
        if look.sound(record)?.is_some_and(|record| !record.as_ref().is_some_and(is_pending)) {
            let unready = Unready { number: (number > 0).then_some(number), id };
            let arn = unready.id.qualified_arn(&unready.qualifier()).to_string();
            look.finding(arn, "it is to be made ready, and is not there or not pending");
        }
    }
    Ok(())
}

/// While an update is not what runs, the content before it is there.
async fn check_update(look: &mut Look, id: &FunctionId, record: &FunctionRecord) -> Result<(), StoreError> {
    if record.update.is_some() && !running::contents(id).contains(&look.tx(), (id.name.as_str(),)).await? {
        let arn = id.qualified_arn(LATEST).to_string();
        look.finding(arn, "its update is not what runs, and the content before it is not there");
    }
    Ok(())
}

async fn check_signing(look: &mut Look, id: &FunctionId, record: &FunctionRecord) -> Result<(), StoreError> {
    let Some(config) = &record.code_signing else { return Ok(()) };
    let (tx, config, arn) = (look.tx(), SigningId::beside(id, config), id.qualified_arn(LATEST).to_string());
    if tx.get(&code_signing::users(&config).key((config.id.as_str(), id.name.as_str()))).await?.is_none() {
        look.finding(&arn, format!("it has {}, and is not among those that have it", config.arn()));
    }
    let found = code_signing::get(&tx, &config).await;
    if look.sound(found)?.is_some_and(|found| found.is_none()) {
        look.finding(&arn, format!("it has {}, which is not there", config.arn()));
    }
    Ok(())
}

/// Who is said to have a code signing configuration has it.
async fn check_signed(look: &mut Look, scope: &Scope) -> Result<(), StoreError> {
    let users = code_signing::users(&SigningId::beside(&scope.function(""), ""));
    let mut rows = look.rows(users.all());
    while let Some((key, _)) = rows.next().await? {
        let Some((config, name)) = look.sound(users.unpack::<(String, String)>(&key))? else { continue };
        let found = function::get(&look.tx(), &scope.function(&name)).await;
        let has = |found: Option<FunctionRecord>| {
            found.is_some_and(|record| record.code_signing.as_ref() == Some(&config))
        };
        if look.sound(found)?.is_some_and(|found| !has(found)) {
            let arn = SigningId::beside(&scope.function(""), &config).arn().to_string();
            look.finding(arn, format!("{name} is said to have it, and does not"));
        }
    }
    Ok(())
}

/// Versions, aliases, policies and the like belong to functions that are there.
async fn check_owners(look: &mut Look, scope: &Scope) -> Result<(), StoreError> {
    let any = scope.function("");
    let parts = [
        (version::versions(&any).space().clone(), "versions"),
        (alias::aliases(&any).space().clone(), "aliases"),
        (policy::policies(&any).space().clone(), "policies"),
        (event_invoke::configs(&any).space().clone(), "event invoke configurations"),
    ];
    for (space, what) in parts {
        let mut rest = space.all();
        while let Some((name,)) = look.next_beginning::<(String,)>(&space, &rest).await? {
            let functions: Table<FunctionRecord> = function::functions(&any);
            if !functions.contains(&look.tx(), (name.as_str(),)).await? {
                let arn = scope.function(&name).arn().to_string();
                look.finding(arn, format!("it has {what}, and is not there"));
            }
            rest = rest.behind(&space.key((name,)));
        }
    }
    Ok(())
}
