//! `ListFunctionsByCodeSigningConfig`: the functions that have a configuration.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListFunctionsByCodeSigningConfig, ListFunctionsByCodeSigningConfigRequest,
    ListFunctionsByCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::function_name::FunctionId;
use crate::{Lambda, code_signing, marker, store};

pub(crate) const ACCESS: Access<ListFunctionsByCodeSigningConfig> = Access::new(
    "lambda:ListFunctionsByCodeSigningConfig",
    |input: &ListFunctionsByCodeSigningConfigRequest, _| {
        code_signing::resources(&input.code_signing_config_arn)
    },
);

pub(crate) async fn list_functions_by_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListFunctionsByCodeSigningConfigRequest,
) -> Result<ListFunctionsByCodeSigningConfigResponse, ServiceError> {
    let arn = &input.code_signing_config_arn;
    let id = &code_signing::named(&context, arn)?;
    let after = marker::read(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let read = lambda.store.read(|tx| {
        let after = after.clone();
        async move {
            if store::code_signing::get(&tx, id).await?.is_none() {
                return Err(Failure::from(errors::no_code_signing(arn)));
            }
            Ok(store::code_signing::functions(&tx, id, after.as_deref(), page + 1).await?)
        }
    });
    let mut names = read.await?;
    let next_marker = marker::cut(&mut names, page, Clone::clone);
    let function = |name| FunctionId { account: id.account, region: id.region.clone(), name };
    let arns = names.into_iter().map(|name| function(name).arn().to_string()).collect();
    Ok(ListFunctionsByCodeSigningConfigResponse { next_marker, function_arns: Some(arns) })
}
