//! `PutProvisionedConcurrencyConfig`: so many environments of a version, or of what an alias leads to, are to stand
//! before anybody calls.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ProvisionedConcurrencyStatusEnum, PutProvisionedConcurrencyConfig,
    PutProvisionedConcurrencyConfigRequest, PutProvisionedConcurrencyConfigResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::provisioned::rules::{self, named};
use crate::store::provisioned::ProvisionedRecord;
use crate::{Lambda, concurrency, resolve, store};

const ACTION: &str = "lambda:PutProvisionedConcurrencyConfig";

pub(crate) const ACCESS: Access<PutProvisionedConcurrencyConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn put_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutProvisionedConcurrencyConfigRequest,
) -> Result<PutProvisionedConcurrencyConfigResponse, ServiceError> {
    let function = lambda.permitted(&context, ACTION, &input.function_name, Some(&input.qualifier)).await?;
    // The model has none below one.
    let requested = u32::try_from(input.provisioned_concurrent_executions).unwrap_or(1);
    let record = ProvisionedRecord { requested, modified_at_micros: context.now.as_micros() };
    let kept = lambda.store.transact(|tx| {
        let (function, record, lambda) = (function.clone(), record.clone(), &lambda);
        async move {
            let id = &function.id;
            let named = named(&tx, &function, errors::provisioned_unpublished).await?;
            let latest = store::function::get(&tx, id).await?;
            let latest = latest.ok_or_else(|| errors::function_not_found(&function))?;
            let (configs, aliases) = rules::configured(&tx, id).await?;
            match &named.alias {
                Some(alias) if !alias.weights.is_empty() => return Err(errors::provisioned_weights().into()),
                Some(alias) => rules::check_alias(alias, &configs)?,
                None => rules::check_version(&named.qualifier, &configs, &aliases)?,
            }
            let own = configs.iter().find(|(qualifier, _)| *qualifier == named.qualifier);
            let before = own.map_or(0, |(_, record)| record.requested);
            let all: u32 = configs.iter().map(|(_, record)| record.requested).sum();
            let sum = store::function::reserved(id);
            let reserved = latest.reserved_concurrency;
            let more = concurrency::provision(
                sum.get(&tx).await?,
                reserved,
                all - before,
                before,
                record.requested,
                lambda.concurrency_max,
            )?;
            if more != 0 {
                sum.add(&tx, more);
            }
            store::provisioned::put(&tx, id, &named.qualifier, &record);
            Ok::<_, Failure>(named)
        }
    });
    let named = kept.await?;
    lambda.provisions.changed(&function.id);
    let described =
        lambda.describe_provisioned(&function.id, &named.qualifier, &record, named.alias.as_ref());
    Ok(PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(described.requested),
        allocated_provisioned_concurrent_executions: Some(described.allocated),
        available_provisioned_concurrent_executions: Some(described.available),
        // Whatever stood before: what was asked for now is yet to come about.
        status: Some(ProvisionedConcurrencyStatusEnum::InProgress),
        status_reason: None,
        last_modified: Some(described.last_modified),
    })
}
