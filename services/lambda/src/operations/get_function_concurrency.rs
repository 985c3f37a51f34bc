//! `GetFunctionConcurrency`: what a function has reserved; nothing if it has not.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetFunctionConcurrency, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:GetFunctionConcurrency";

pub(crate) const ACCESS: Access<GetFunctionConcurrency> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_concurrency(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let id = function.id.clone();
    let found = lambda.store.read(|tx| async move { store::function::get(&tx, &id).await }).await;
    let record = found.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(&function))?;
    let reserved_concurrent_executions = record.reserved_concurrency.map(|reserved| reserved as i32);
    Ok(GetFunctionConcurrencyResponse { reserved_concurrent_executions })
}
