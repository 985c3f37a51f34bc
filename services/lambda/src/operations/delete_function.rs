//! `DeleteFunction`: forgets a function, or a version of it, with its code; its environments end when they are done.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteFunction, DeleteFunctionRequest, DeleteFunctionResponse};
use apus_schema::ServiceError;
use apus_store::{BlobId, Tx};

use crate::errors::{self, Failure};
use crate::function_name::{FunctionReference, Qualifier};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteFunction";

pub(crate) const ACCESS: Access<DeleteFunction> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let deleted = lambda.store.transact(|tx| {
        let function = function.clone();
        async move { delete(&tx, &function).await }
    });
    let blobs = deleted.await?;
    for key in lambda.sessions.forget(&function.id, function.qualifier.as_deref()) {
        lambda.compute.retire(&key);
    }
    lambda.provisions.changed(&function.id);
    for blob in blobs {
        lambda.delete_blob(blob).await;
    }
    Ok(DeleteFunctionResponse { status_code: Some(204) })
}

async fn delete(tx: &Tx, function: &FunctionReference) -> Result<Vec<BlobId>, Failure> {
    let id = &function.id;
    let not_found = || errors::function_not_found(function);
    if function.qualifier.is_none() {
        let record = store::function::get(tx, id).await?.ok_or_else(not_found)?;
        return Ok(store::function::delete(tx, id, &record).await?);
    }
    let number = match function.qualifier() {
        Qualifier::Version(number) => number,
        Qualifier::Latest => {
            return Err(errors::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            )
            .into());
        }
        Qualifier::Alias(_) => {
            return Err(errors::invalid_parameter("Deletion of aliases is not currently supported.").into());
        }
    };
    let record = store::version::get(tx, id, number).await?.ok_or_else(not_found)?;
    let version = number.to_string();
    let aliases = store::alias::list(tx, id, None, usize::MAX).await?;
    let users =
        aliases.iter().filter(|(_, alias)| alias.version == version || alias.weights.contains_key(&version));
    let users: Vec<&str> = users.map(|(name, _)| name.as_str()).collect();
    if !users.is_empty() {
        return Err(errors::version_in_use(&users).into());
    }
    let reserved = store::function::get(tx, id).await?.and_then(|latest| latest.reserved_concurrency);
    store::provisioned::delete(tx, id, reserved, &version).await?;
    Ok(store::version::delete(tx, id, number, &record).await?)
}
