//! `InvokeAsync`: accepts an event for a function; what `Invoke` does since 2015, as older clients ask for it.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{InvokeAsync, InvokeAsyncRequest, InvokeAsyncResponse};
use apus_schema::ServiceError;

use super::invoke::event;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::{Lambda, errors, readiness, resolve};

const ACTION: &str = "lambda:InvokeAsync";

pub(crate) const ACCESS: Access<InvokeAsync> = resolve::asked_inside(ACTION);

pub(crate) async fn invoke_async(
    lambda: Arc<Lambda>,
    context: Context,
    input: InvokeAsyncRequest,
) -> Result<InvokeAsyncResponse, ServiceError> {
    let (function, found) = lambda.found(&context, ACTION, &input.function_name, None, Some(0.0)).await?;
    readiness::check_invocable(&found)?;
    let arguments = input.invoke_args.collect(PAYLOAD_BYTES_MAX).await;
    let payload = event(Some(arguments.map_err(|error| errors::payload_too_large().because(error))?))?;
    lambda.accept(&context, &function, &payload, None).await?;
    Ok(InvokeAsyncResponse { status: Some(202) })
}
