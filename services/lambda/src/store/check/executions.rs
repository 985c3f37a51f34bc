//! Executions are found by their request, and counted.

use apus_store::StoreError;
use apus_store::fsck::Look;

use super::super::execution::{executions, ids, kept};

pub(super) async fn check(look: &mut Look) -> Result<(), StoreError> {
    let mut found = 0;
    let mut records = look.records(executions());
    while let Some(((at, request, attempt), _)) = records.next::<(i64, String, u32)>(look).await? {
        found += 1;
        if look.tx().get(&ids().key((request.as_str(), at, attempt))).await?.is_none() {
            look.finding(place(&request, attempt), "it is not found by its request");
        }
    }
    let mut rows = look.rows(ids().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((request, at, attempt)) = look.sound(ids().unpack::<(String, i64, u32)>(&key))? else {
            continue;
        };
        if !executions().contains(&look.tx(), (at, request.as_str(), attempt)).await? {
            look.finding(place(&request, attempt), "it is found by its request, and is not there");
        }
    }
    let counted = kept(&look.tx()).await;
    if let Some(counted) = look.sound(counted)?
        && counted != found
    {
        look.finding("the records of executions", format!("{counted} are counted, and there are {found}"));
    }
    Ok(())
}

fn place(request: &str, attempt: u32) -> String {
    format!("attempt {attempt} of request {request}")
}
