//! `GetFunction`: a function's configuration, its tags, and where its code is kept.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    Concurrency, FunctionCodeLocation, GetFunction, GetFunctionRequest, GetFunctionResponse,
};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::Failure;
use crate::store::find::Found;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunction";

pub(crate) const ACCESS: Access<GetFunction> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let (function, found) = lambda.found(&context, ACTION, &input.function_name, qualifier, None).await?;
    let Found { version, record, reserved_concurrency, tags, .. } = found;
    Ok(GetFunctionResponse {
        configuration: Some(
            configuration(&function, &version, &record, Detail::Full).map_err(Failure::from)?,
        ),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: lambda.downloads.url(&context, record.blob()),
            ..FunctionCodeLocation::default()
        }),
        concurrency: reserved_concurrency
            .map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved as i32) }),
        tags: Some(tags).filter(|tags| !tags.is_empty()),
        ..GetFunctionResponse::default()
    })
}
