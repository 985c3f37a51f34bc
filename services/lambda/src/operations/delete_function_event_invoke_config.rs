//! `DeleteFunctionEventInvokeConfig`: asynchronous invocations go by the defaults again.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteFunctionEventInvokeConfig, DeleteFunctionEventInvokeConfigRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, event_invoke, resolve, store};

const ACTION: &str = "lambda:DeleteFunctionEventInvokeConfig";

pub(crate) const ACCESS: Access<DeleteFunctionEventInvokeConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<Unit, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let deleted = lambda.store.transact(|tx| {
        let function = function.clone();
        async move {
            let qualifier = event_invoke::qualifier(&function);
            if store::event_invoke::get(&tx, &function.id, qualifier).await?.is_none() {
                return Err(Failure::from(errors::no_event_invoke_config(&function)));
            }
            store::event_invoke::delete(&tx, &function.id, qualifier);
            Ok(())
        }
    });
    deleted.await?;
    Ok(Unit)
}
