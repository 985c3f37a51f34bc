//! `PutFunctionConcurrency`: reserves a share of the account's concurrency for a function, and limits it to that.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{Concurrency, PutFunctionConcurrency, PutFunctionConcurrencyRequest};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, concurrency, resolve, store};

const ACTION: &str = "lambda:PutFunctionConcurrency";

pub(crate) const ACCESS: Access<PutFunctionConcurrency> = resolve::asked_inside(ACTION);

pub(crate) async fn put_function_concurrency(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    // The model has no negative ones.
    let wanted = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
    let kept = lambda.store.transact(|tx| {
        let (function, lambda) = (function.clone(), &lambda);
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record = found.ok_or_else(|| errors::function_not_found(&function))?;
            let reserved = store::function::reserved(&function.id);
            let sum = reserved.get(&tx).await?;
            let provisioned = store::provisioned::total(&tx, &function.id).await?;
            let more = concurrency::reserve(
                sum,
                record.reserved_concurrency,
                provisioned,
                wanted,
                lambda.concurrency_max,
            )?;
            if more != 0 {
                reserved.add(&tx, more);
            }
            record.reserved_concurrency = Some(wanted);
            store::function::put(&tx, &function.id, &record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(input.reserved_concurrent_executions) })
}
