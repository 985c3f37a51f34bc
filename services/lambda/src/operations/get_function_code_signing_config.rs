//! `GetFunctionCodeSigningConfig`: that no signature is asked for.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetFunctionCodeSigningConfig, GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionCodeSigningConfig";

pub(crate) const ACCESS: Access<GetFunctionCodeSigningConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    lambda.latest(&function).await?;
    // No operation here attaches a configuration.
    Ok(GetFunctionCodeSigningConfigResponse {
        code_signing_config_arn: String::new(),
        function_name: function.id.name,
    })
}
