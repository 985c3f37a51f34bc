//! `GetFunctionRecursionConfig`: what is to become of a function that calls itself.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetFunctionRecursionConfig, GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse,
    RecursiveLoop,
};
use apus_schema::ServiceError;

use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionRecursionConfig";

pub(crate) const ACCESS: Access<GetFunctionRecursionConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_recursion_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionRecursionConfigRequest,
) -> Result<GetFunctionRecursionConfigResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let record = lambda.latest(&function).await?;
    let kept = record.recursive_loop.as_deref().map(RecursiveLoop::from);
    Ok(GetFunctionRecursionConfigResponse { recursive_loop: Some(kept.unwrap_or(RecursiveLoop::Terminate)) })
}
