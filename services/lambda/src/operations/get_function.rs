//! `GetFunction`: a function's configuration, its tags, and where its code is kept.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    Concurrency, FunctionCodeLocation, GetFunction, GetFunctionRequest, GetFunctionResponse,
};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::Failure;
use crate::{Lambda, resolve};

pub(crate) const ACCESS: Access<GetFunction> =
    Access::new("lambda:GetFunction", |input: &GetFunctionRequest, caller| {
        resolve::resources(&input.function_name, input.qualifier.as_deref(), caller)
    });

pub(crate) async fn get_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = resolve::reference(&context, "lambda:GetFunction", &input.function_name, qualifier)?;
    let record = lambda.record(&function).await?;
    Ok(GetFunctionResponse {
        configuration: Some(configuration(&function, &record, Detail::Full).map_err(Failure::from)?),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            ..FunctionCodeLocation::default()
        }),
        concurrency: record
            .reserved_concurrency
            .map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved as i32) }),
        tags: Some(record.tags).filter(|tags| !tags.is_empty()),
        ..GetFunctionResponse::default()
    })
}
