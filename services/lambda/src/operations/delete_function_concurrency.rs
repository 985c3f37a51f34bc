//! `DeleteFunctionConcurrency`: a function shares the account's concurrency with all others again.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteFunctionConcurrency, DeleteFunctionConcurrencyRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteFunctionConcurrency";

pub(crate) const ACCESS: Access<DeleteFunctionConcurrency> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_function_concurrency(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<Unit, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let kept = lambda.store.transact(|tx| {
        let function = function.clone();
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record = found.ok_or_else(|| errors::function_not_found(&function))?;
            if let Some(before) = record.reserved_concurrency.take() {
                let provisioned = store::provisioned::total(&tx, &function.id).await?;
                let less = i64::from(provisioned) - i64::from(before);
                store::function::reserved(&function.id).add(&tx, less);
                store::function::put(&tx, &function.id, &record);
            }
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(Unit)
}
