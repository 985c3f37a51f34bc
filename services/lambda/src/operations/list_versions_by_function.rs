//! `ListVersionsByFunction`: `$LATEST` and the versions by number, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListVersionsByFunction, ListVersionsByFunctionRequest, ListVersionsByFunctionResponse,
};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::function_name::LATEST;
use crate::{Lambda, marker, resolve, store};

const ACTION: &str = "lambda:ListVersionsByFunction";

pub(crate) const ACCESS: Access<ListVersionsByFunction> = resolve::asked_inside(ACTION);

pub(crate) async fn list_versions_by_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let after = marker::read_number(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        let Some(latest) = store::function::get(&tx, &asked.id).await? else { return Ok(None) };
        // `$LATEST` stands where a version of the number 0 would.
        let mut rows = if after.is_none() { vec![(0, latest)] } else { Vec::new() };
        rows.extend(store::version::list(&tx, &asked.id, after, page + 1 - rows.len()).await?);
        Ok::<_, Failure>(Some(rows))
    });
    let mut rows = read.await?.ok_or_else(|| errors::function_not_found(&function))?;
    let next_marker = marker::cut(&mut rows, page, |(number, _)| number.to_string());
    let versions: Result<_, _> = rows
        .into_iter()
        .map(|(number, record)| {
            let version = if number == 0 { LATEST.to_owned() } else { number.to_string() };
            configuration(&function.with_qualifier(&version), &version, &record, Detail::Listed)
        })
        .collect();
    Ok(ListVersionsByFunctionResponse { next_marker, versions: Some(versions.map_err(Failure::from)?) })
}
