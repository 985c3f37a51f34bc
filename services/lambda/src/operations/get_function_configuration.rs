//! `GetFunctionConfiguration`: a function's configuration alone.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{FunctionConfiguration, GetFunctionConfiguration, GetFunctionConfigurationRequest};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::Failure;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetFunctionConfiguration";

pub(crate) const ACCESS: Access<GetFunctionConfiguration> =
    Access::new(ACTION, |input: &GetFunctionConfigurationRequest, caller| {
        resolve::resources(&input.function_name, input.qualifier.as_deref(), caller)
    });

pub(crate) async fn get_function_configuration(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let function = resolve::reference(&context, ACTION, &input.function_name, input.qualifier.as_deref())?;
    let record = lambda.record(&function).await?;
    Ok(configuration(&function, &record, Detail::Full).map_err(Failure::from)?)
}
