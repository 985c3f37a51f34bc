//! `PutFunctionRecursionConfig`: keeps what is to become of a function that calls itself.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    PutFunctionRecursionConfig, PutFunctionRecursionConfigRequest, PutFunctionRecursionConfigResponse,
};
use apus_schema::ServiceError;

use crate::{Lambda, resolve};

const ACTION: &str = "lambda:PutFunctionRecursionConfig";

pub(crate) const ACCESS: Access<PutFunctionRecursionConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn put_function_recursion_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutFunctionRecursionConfigRequest,
) -> Result<PutFunctionRecursionConfigResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let wanted = input.recursive_loop;
    let change = |record: &mut crate::store::FunctionRecord| {
        record.recursive_loop = Some(wanted.as_str().to_owned());
        Ok(())
    };
    lambda.change(&function, change).await?;
    Ok(PutFunctionRecursionConfigResponse { recursive_loop: Some(wanted.clone()) })
}
