//! `DeleteAlias`: forgets an alias with its policy; one that is not there is as good as deleted.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteAlias, DeleteAliasRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteAlias";

pub(crate) const ACCESS: Access<DeleteAlias> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_alias(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteAliasRequest,
) -> Result<Unit, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let deleted = lambda.store.transact(|tx| {
        let (function, name) = (function.clone(), input.name.clone());
        async move {
            let Some(latest) = store::function::get(&tx, &function.id).await? else {
                return Err(Failure::from(errors::function_not_found(&function)));
            };
            store::provisioned::delete(&tx, &function.id, latest.reserved_concurrency, &name).await?;
            store::alias::delete(&tx, &function.id, &name);
            Ok(())
        }
    });
    deleted.await?;
    lambda.provisions.changed(&function.id);
    Ok(Unit)
}
