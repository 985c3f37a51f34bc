//! `GetFunctionConcurrency`: what a function has reserved; nothing if it has not.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetFunctionConcurrency, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse,
};
use apus_schema::ServiceError;

use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionConcurrency";

pub(crate) const ACCESS: Access<GetFunctionConcurrency> =
    Access::new(ACTION, |input: &GetFunctionConcurrencyRequest, caller| {
        resolve::resources(&input.function_name, None, caller)
    });

pub(crate) async fn get_function_concurrency(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse, ServiceError> {
    let function = resolve::unqualified(&context, ACTION, &input.function_name)?;
    let record = lambda.record(&function).await?;
    let reserved_concurrent_executions = record.reserved_concurrency.map(|reserved| reserved as i32);
    Ok(GetFunctionConcurrencyResponse { reserved_concurrent_executions })
}
