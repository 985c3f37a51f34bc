//! `CreateAlias`: a name for a version, or for two with their shares.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{AliasConfiguration, CreateAlias, CreateAliasRequest};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::store::alias::AliasRecord;
use crate::{Lambda, alias, resolve, store};

const ACTION: &str = "lambda:CreateAlias";

pub(crate) const ACCESS: Access<CreateAlias> = resolve::asked_inside(ACTION);

pub(crate) async fn create_alias(
    lambda: Arc<Lambda>,
    context: Context,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    alias::check_name(&input.name)?;
    let record = AliasRecord {
        weights: alias::weights(input.routing_config, &input.function_version)?,
        version: input.function_version,
        description: input.description.unwrap_or_default(),
        revision: lambda.env.uuid_v4(),
    };
    let kept = lambda.store.transact(|tx| {
        let (function, name, record) = (function.clone(), input.name.clone(), record.clone());
        async move {
            store::alias::check_versions(&tx, &function, &record).await?;
            if store::alias::get(&tx, &function.id, &name).await?.is_some() {
                return Err(Failure::from(errors::alias_exists(&function.id, &name)));
            }
            store::alias::put(&tx, &function.id, &name, &record);
            Ok(())
        }
    });
    kept.await?;
    Ok(alias::describe(&function.id, &input.name, &record))
}
