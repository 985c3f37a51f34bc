//! `GetProvisionedConcurrencyConfig`: what a version or alias is to have of standing environments, and has.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::provisioned::rules::named;
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:GetProvisionedConcurrencyConfig";

pub(crate) const ACCESS: Access<GetProvisionedConcurrencyConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetProvisionedConcurrencyConfigRequest,
) -> Result<GetProvisionedConcurrencyConfigResponse, ServiceError> {
    let function = lambda.permitted(&context, ACTION, &input.function_name, Some(&input.qualifier)).await?;
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        let named = named(&tx, &asked, errors::no_published_version).await?;
        let record = store::provisioned::get(&tx, &asked.id, &named.qualifier).await?;
        Ok::<_, Failure>((named, record))
    });
    let (named, record) = read.await?;
    let record = record.ok_or_else(errors::no_provisioned_config)?;
    let described =
        lambda.describe_provisioned(&function.id, &named.qualifier, &record, named.alias.as_ref());
    Ok(GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(described.requested),
        available_provisioned_concurrent_executions: Some(described.available),
        allocated_provisioned_concurrent_executions: Some(described.allocated),
        status: Some(described.status),
        status_reason: described.reason,
        last_modified: Some(described.last_modified),
    })
}
