//! `DeleteProvisionedConcurrencyConfig`: none is kept of a version or alias any more. One that has no configuration is
//! as good as done.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteProvisionedConcurrencyConfig, DeleteProvisionedConcurrencyConfigRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::provisioned::rules::named;
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteProvisionedConcurrencyConfig";

pub(crate) const ACCESS: Access<DeleteProvisionedConcurrencyConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteProvisionedConcurrencyConfigRequest,
) -> Result<Unit, ServiceError> {
    let function = lambda.permitted(&context, ACTION, &input.function_name, Some(&input.qualifier)).await?;
    let deleted = lambda.store.transact(|tx| {
        let function = function.clone();
        async move {
            let named = named(&tx, &function, errors::no_published_version).await?;
            let latest = store::function::get(&tx, &function.id).await?;
            let reserved = latest.and_then(|latest| latest.reserved_concurrency);
            store::provisioned::delete(&tx, &function.id, reserved, &named.qualifier).await?;
            Ok::<_, Failure>(())
        }
    });
    deleted.await?;
    lambda.provisions.changed(&function.id);
    Ok(Unit)
}
