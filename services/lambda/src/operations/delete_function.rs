//! `DeleteFunction`: forgets a function with its code; its environments end when they are done.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteFunction, DeleteFunctionRequest, DeleteFunctionResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::function_name::LATEST;
use crate::{Lambda, resolve, store};

pub(crate) const ACCESS: Access<DeleteFunction> =
    Access::new("lambda:DeleteFunction", |input: &DeleteFunctionRequest, caller| {
        resolve::resources(&input.function_name, input.qualifier.as_deref(), caller)
    });

pub(crate) async fn delete_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = resolve::reference(&context, "lambda:DeleteFunction", &input.function_name, qualifier)?;
    match function.qualifier.as_deref() {
        None => {}
        Some(LATEST) => {
            return Err(errors::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(_) => return Err(errors::function_not_found(&function)),
    }
    let deleted = lambda.store.transact(|tx| {
        let function = function.clone();
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let record = found.ok_or_else(|| errors::function_not_found(&function))?;
            store::function::delete(&tx, &function.id, &record);
            Ok::<_, Failure>(record.blob())
        }
    });
    let blob = deleted.await?;
    if let Some(key) = lambda.sessions.forget(&function.id) {
        lambda.compute.retire(&key);
    }
    lambda.delete_blob(blob).await;
    Ok(DeleteFunctionResponse { status_code: Some(204) })
}
