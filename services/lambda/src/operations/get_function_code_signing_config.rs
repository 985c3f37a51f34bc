//! `GetFunctionCodeSigningConfig`: the configuration that a function has, if it has one.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetFunctionCodeSigningConfig, GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::code_signing::SigningId;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionCodeSigningConfig";

pub(crate) const ACCESS: Access<GetFunctionCodeSigningConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let config = lambda.latest(&function).await?.code_signing;
    let arn = config.map(|config| SigningId::beside(&function.id, &config).arn().to_string());
    Ok(GetFunctionCodeSigningConfigResponse {
        code_signing_config_arn: arn.unwrap_or_default(),
        function_name: function.id.name,
    })
}
