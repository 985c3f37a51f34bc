//! `UpdateAlias`: points an alias elsewhere; what is not given stays.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{AliasConfiguration, UpdateAlias, UpdateAliasRequest};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::store::alias::AliasRecord;
use crate::{Lambda, alias, provisioned, resolve, revision, store};

const ACTION: &str = "lambda:UpdateAlias";

pub(crate) const ACCESS: Access<UpdateAlias> = resolve::asked_inside(ACTION);

pub(crate) async fn update_alias(
    lambda: Arc<Lambda>,
    context: Context,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (function, input, fresh) = (function.clone(), input.clone(), fresh.clone());
        async move {
            if store::function::get(&tx, &function.id).await?.is_none() {
                return Err(Failure::from(errors::function_not_found(&function)));
            }
            let found = store::alias::get(&tx, &function.id, &input.name).await?;
            let before = found.ok_or_else(|| errors::alias_to_change_not_found(&function.id, &input.name))?;
            revision::check(input.revision_id.as_deref(), &before.revision)?;
            let version = input.function_version.unwrap_or(before.version);
            let weights = match input.routing_config {
                Some(routing) => alias::weights(Some(routing), &version)?,
                None => before.weights,
            };
            let description = input.description.unwrap_or(before.description);
            let record = AliasRecord { version, description, weights, revision: fresh };
            store::alias::check_versions(&tx, &function, &record).await?;
            let (configs, _) = provisioned::rules::configured(&tx, &function.id).await?;
            if configs.iter().any(|(qualifier, _)| *qualifier == input.name) {
                provisioned::rules::check_alias(&record, &configs)?;
            }
            store::alias::put(&tx, &function.id, &input.name, &record);
            Ok(record)
        }
    });
    let record = kept.await?;
    lambda.provisions.changed(&function.id);
    Ok(alias::describe(&function.id, &input.name, &record))
}
