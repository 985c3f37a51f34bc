//! `ListFunctionEventInvokeConfigs`: of a function, its versions and its aliases, by qualifier, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListFunctionEventInvokeConfigs, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, event_invoke, marker, resolve, store};

const ACTION: &str = "lambda:ListFunctionEventInvokeConfigs";

pub(crate) const ACCESS: Access<ListFunctionEventInvokeConfigs> = resolve::asked_inside(ACTION);

pub(crate) async fn list_function_event_invoke_configs(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let after = marker::read(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        let there = store::function::get(&tx, &asked.id).await?.is_some();
        let rows = store::event_invoke::list(&tx, &asked.id, after.as_deref(), page + 1).await?;
        Ok::<_, Failure>(there.then_some(rows))
    });
    let mut rows = read.await?.ok_or_else(errors::no_function_for_events)?;
    let next_marker = marker::cut(&mut rows, page, |(qualifier, _)| qualifier.clone());
    let configs = rows.iter().map(|(qualifier, record)| event_invoke::describe(&function, qualifier, record));
    Ok(ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(configs.collect()),
        next_marker,
    })
}
