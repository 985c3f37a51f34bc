//! `ListFunctions`: the functions of an account in a region, by name, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListFunctions, ListFunctionsRequest, ListFunctionsResponse};
use apus_schema::ServiceError;
use apus_store::{StoreError, Tx};

use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionId, FunctionReference, LATEST};
use crate::store::FunctionRecord;
use crate::{Lambda, marker, store};

pub(crate) const ACCESS: Access<ListFunctions> = Access::on_all("lambda:ListFunctions");

pub(crate) async fn list_functions(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, ServiceError> {
    if input.master_region.is_some() {
        return Err(errors::not_supported("MasterRegion"));
    }
    let after = marker::read(input.marker.as_deref())?.map(|entry| Entry::read(&entry)).transpose()?;
    let page = marker::page(input.max_items);
    let all = input.function_version.is_some();
    let caller = context.caller;
    let id = |name: String| FunctionId { account: caller.account, region: caller.region.clone(), name };
    let any = id(String::new());
    let read = lambda.store.read(|tx| async move {
        // One more than the page tells whether another page follows.
        if all {
            with_versions(&tx, &any, after, page + 1).await
        } else {
            latest(&tx, &any, after, page + 1).await
        }
    });
    let mut listed = read.await.map_err(Failure::from)?;
    let next_marker = marker::cut(&mut listed, page, |(entry, _)| entry.write());
    let functions: Result<_, _> = listed
        .into_iter()
        .map(|(Entry { name, number }, record)| {
            let version = if number == 0 { LATEST.to_owned() } else { number.to_string() };
            // With their versions, functions appear under qualified ARNs.
            let function = FunctionReference { id: id(name), qualifier: all.then(|| version.clone()) };
            configuration(&function, &version, &record, Detail::Listed)
        })
        .collect();
    Ok(ListFunctionsResponse { next_marker, functions: Some(functions.map_err(Failure::from)?) })
}

/// A function's version; 0 is `$LATEST`.
struct Entry {
    name: String,
    number: u64,
}

impl Entry {
    fn write(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    fn read(entry: &str) -> Result<Self, ServiceError> {
        let (name, number) = entry.split_once(':').ok_or_else(marker::forged)?;
        let number = number.parse().map_err(|_| marker::forged())?;
        Ok(Self { name: name.to_owned(), number })
    }
}

type Rows = Vec<(Entry, FunctionRecord)>;

async fn latest(tx: &Tx, any: &FunctionId, after: Option<Entry>, limit: usize) -> Result<Rows, StoreError> {
    let after = after.map(|entry| entry.name);
    let rows = store::function::list(tx, any, after.as_deref(), limit).await?;
    Ok(rows.into_iter().map(|(name, record)| (Entry { name, number: 0 }, record)).collect())
}

/// Functions by name, each followed by its versions.
async fn with_versions(
    tx: &Tx,
    any: &FunctionId,
    after: Option<Entry>,
    limit: usize,
) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    let mut after = after;
    loop {
        if let Some(Entry { name, number }) = &after {
            let id = FunctionId { name: name.clone(), ..any.clone() };
            let versions = store::version::list(tx, &id, Some(*number), limit - rows.len()).await?;
            rows.extend(
                versions.into_iter().map(|(number, record)| (Entry { name: name.clone(), number }, record)),
            );
        }
        if rows.len() >= limit {
            return Ok(rows);
        }
        let Some(next) = latest(tx, any, after, 1).await?.pop() else { return Ok(rows) };
        after = Some(Entry { name: next.0.name.clone(), number: 0 });
        rows.push(next);
        if rows.len() >= limit {
            return Ok(rows);
        }
    }
}
