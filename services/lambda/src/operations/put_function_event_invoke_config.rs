//! `PutFunctionEventInvokeConfig`: sets what is to become of asynchronous invocations; what is not given is the default.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    FunctionEventInvokeConfig, PutFunctionEventInvokeConfig, PutFunctionEventInvokeConfigRequest,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::event_invoke::{self, Wanted};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:PutFunctionEventInvokeConfig";

pub(crate) const ACCESS: Access<PutFunctionEventInvokeConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn put_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let function =
        lambda.permitted(&context, ACTION, &input.function_name, input.qualifier.as_deref()).await?;
    let wanted = Wanted {
        retries_max: input.maximum_retry_attempts,
        age_secs_max: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    lambda.check_destinations(&context, &function, &wanted).await?;
    let now = context.now;
    let kept = lambda.store.transact(|tx| {
        let (function, wanted) = (function.clone(), wanted.clone());
        async move {
            let qualifier = event_invoke::qualifier(&function);
            if store::subject::get(&tx, &function).await?.is_none() {
                return Err(Failure::from(errors::no_function_for_events()));
            }
            let before = store::event_invoke::EventInvokeRecord::default();
            let record = wanted.apply(before, &function, now)?;
            store::event_invoke::put(&tx, &function.id, qualifier, &record);
            Ok(record)
        }
    });
    let record = kept.await?;
    Ok(event_invoke::describe(&function, event_invoke::qualifier(&function), &record))
}
