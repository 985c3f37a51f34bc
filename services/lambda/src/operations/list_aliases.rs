//! `ListAliases`: a function's aliases by name, in pages; of those that lead to a version, if one is given.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListAliases, ListAliasesRequest, ListAliasesResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::store::alias::AliasRecord;
use crate::{Lambda, alias, marker, resolve, store};

const ACTION: &str = "lambda:ListAliases";

pub(crate) const ACCESS: Access<ListAliases> = resolve::asked_inside(ACTION);

pub(crate) async fn list_aliases(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let after = marker::read(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        let there = store::function::get(&tx, &asked.id).await?.is_some();
        // A version's aliases may lie anywhere among them.
        let limit = if input.function_version.is_some() { usize::MAX } else { page + 1 };
        let mut rows = store::alias::list(&tx, &asked.id, after.as_deref(), limit).await?;
        if let Some(version) = &input.function_version {
            rows.retain(|(_, alias)| leads_to(alias, version));
        }
        Ok::<_, Failure>(there.then_some(rows))
    });
    let mut rows = read.await?.ok_or_else(|| errors::function_not_found(&function))?;
    let next_marker = marker::cut(&mut rows, page, |(name, _)| name.clone());
    let aliases = rows.iter().map(|(name, record)| alias::describe(&function.id, name, record)).collect();
    Ok(ListAliasesResponse { next_marker, aliases: Some(aliases) })
}

fn leads_to(alias: &AliasRecord, version: &str) -> bool {
    alias.version == version || alias.weights.contains_key(version)
}
