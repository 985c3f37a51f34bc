//! `PutSubscriptionFilter`: has events that a pattern means go to a function from now on.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_lambda::InvocationType;
use apus_model_logs::{LogGroupClass, PutSubscriptionFilter, PutSubscriptionFilterRequest};
use apus_schema::{Fault, ServiceError, Unit};

use crate::Logs;
use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, group_resource};
use crate::pattern::Pattern;
use crate::store::SubscriptionRecord;
use crate::subscription::{SUBSCRIPTIONS_MAX, invoke};

pub(crate) const ACCESS: Access<PutSubscriptionFilter> =
    Access::new("logs:PutSubscriptionFilter", |input: &PutSubscriptionFilterRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn put_subscription_filter(
    logs: Arc<Logs>,
    context: Context,
    input: PutSubscriptionFilterRequest,
) -> Result<Unit, ServiceError> {
    for (given, name) in [
        (input.apply_on_transformed_logs == Some(true), "applyOnTransformedLogs"),
        (input.field_selection_criteria.is_some(), "fieldSelectionCriteria"),
        (input.emit_system_fields.is_some(), "emitSystemFields"),
    ] {
        if given {
            return Err(not_supported(name).into());
        }
    }
    Pattern::parse(&input.filter_pattern).map_err(|error| Refusal::parameter(error.to_string()))?;
    let arn: Arn = input
        .destination_arn
        .parse()
        .map_err(|_| Refusal::parameter("destinationArn is not a valid Amazon resource name."))?;
    if arn.service != "lambda" {
        return Err(not_supported(&format!("a subscription to {}", arn.service)).into());
    }
    let id = GroupId::of(&context.caller, input.log_group_name);
    logs.group(&id).await?;
    // AWS too calls the function once before it says yes.
    let may = invoke(context.platform(), &id, &input.destination_arn, InvocationType::DryRun, None).await;
    may.map_err(|error| match error.fault() {
        Fault::Sender => ServiceError::from(Refusal::parameter(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute \
             your function.",
        ))
        .because(error),
        Fault::Receiver => error,
    })?;
    let filter = SubscriptionRecord {
        pattern: input.filter_pattern,
        destination: input.destination_arn,
        created_at_ms: context.now.as_millis(),
        distribution: input.distribution.map(|distribution| distribution.as_str().to_owned()),
    };
    let name = input.filter_name;
    let change = logs.change_group(&id, |_tx, record| {
        if record.class.as_deref() == Some(LogGroupClass::InfrequentAccess.as_str()) {
            return Err(Refusal::Operation("Subscription filters need the log group class STANDARD.".into()));
        }
        let filters = record.subscriptions.get_or_insert_default();
        if filters.len() >= SUBSCRIPTIONS_MAX && !filters.contains_key(&name) {
            return Err(Refusal::Limit("Resource limit exceeded.".into()));
        }
        filters.insert(name.clone(), filter.clone());
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
