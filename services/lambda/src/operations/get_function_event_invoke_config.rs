//! `GetFunctionEventInvokeConfig`: what is to become of asynchronous invocations.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    FunctionEventInvokeConfig, GetFunctionEventInvokeConfig, GetFunctionEventInvokeConfigRequest,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, event_invoke, resolve, store};

const ACTION: &str = "lambda:GetFunctionEventInvokeConfig";

pub(crate) const ACCESS: Access<GetFunctionEventInvokeConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        store::event_invoke::get(&tx, &asked.id, event_invoke::qualifier(&asked)).await
    });
    let record = read.await.map_err(Failure::from)?;
    let record = record.ok_or_else(|| errors::no_event_invoke_config(&function))?;
    Ok(event_invoke::describe(&function, event_invoke::qualifier(&function), &record))
}
