//! `GetAlias`: where an alias leads.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{AliasConfiguration, GetAlias, GetAliasRequest};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, alias, resolve, store};

const ACTION: &str = "lambda:GetAlias";

pub(crate) const ACCESS: Access<GetAlias> = resolve::asked_inside(ACTION);

pub(crate) async fn get_alias(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let name = input.name;
    let (id, asked) = (function.id.clone(), name.clone());
    let read = lambda.store.read(|tx| async move {
        let there = store::function::get(&tx, &id).await?.is_some();
        Ok::<_, Failure>((there, store::alias::get(&tx, &id, &asked).await?))
    });
    match read.await? {
        (true, Some(record)) => Ok(alias::describe(&function.id, &name, &record)),
        (true, None) => Err(errors::no_alias(&function.id, &name)),
        (false, _) => Err(errors::function_not_found(&function)),
    }
}
