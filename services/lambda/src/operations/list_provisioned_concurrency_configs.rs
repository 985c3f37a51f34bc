//! `ListProvisionedConcurrencyConfigs`: of a function's versions and aliases, by qualifier, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListProvisionedConcurrencyConfigs, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::provisioned::rules;
use crate::{Lambda, marker, resolve, store};

const ACTION: &str = "lambda:ListProvisionedConcurrencyConfigs";

pub(crate) const ACCESS: Access<ListProvisionedConcurrencyConfigs> = resolve::asked_inside(ACTION);

pub(crate) async fn list_provisioned_concurrency_configs(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListProvisionedConcurrencyConfigsRequest,
) -> Result<ListProvisionedConcurrencyConfigsResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let after = marker::read(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let asked = function.clone();
    let read = lambda.store.read(|tx| async move {
        let there = store::function::get(&tx, &asked.id).await?.is_some();
        let rows = store::provisioned::list(&tx, &asked.id, after.as_deref(), page + 1).await?;
        let aliases = rules::aliases(&tx, &asked.id, &rows).await?;
        Ok::<_, Failure>(there.then_some((rows, aliases)))
    });
    let (mut rows, aliases) = read.await?.ok_or_else(|| errors::function_not_found(&function))?;
    let next_marker = marker::cut(&mut rows, page, |(qualifier, _)| qualifier.clone());
    let items = rows.iter().map(|(qualifier, record)| {
        let described = lambda.describe_provisioned(&function.id, qualifier, record, aliases.get(qualifier));
        ProvisionedConcurrencyConfigListItem {
            function_arn: Some(function.id.qualified_arn(qualifier).to_string()),
            requested_provisioned_concurrent_executions: Some(described.requested),
            available_provisioned_concurrent_executions: Some(described.available),
            allocated_provisioned_concurrent_executions: Some(described.allocated),
            status: Some(described.status),
            status_reason: described.reason,
            last_modified: Some(described.last_modified),
        }
    });
    Ok(ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(items.collect()),
        next_marker,
    })
}
