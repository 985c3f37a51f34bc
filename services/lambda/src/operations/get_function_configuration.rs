//! `GetFunctionConfiguration`: a function's configuration alone.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{FunctionConfiguration, GetFunctionConfiguration, GetFunctionConfigurationRequest};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::Failure;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionConfiguration";

pub(crate) const ACCESS: Access<GetFunctionConfiguration> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_configuration(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let (function, found) = lambda.found(&context, ACTION, &input.function_name, qualifier, None).await?;
    Ok(configuration(&function, &found.version, &found.record, Detail::Full).map_err(Failure::from)?)
}
