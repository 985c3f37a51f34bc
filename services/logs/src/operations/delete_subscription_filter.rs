//! `DeleteSubscriptionFilter`: ends a subscription; what has left already arrives.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{DeleteSubscriptionFilter, DeleteSubscriptionFilterRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::Refusal;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<DeleteSubscriptionFilter> =
    Access::new("logs:DeleteSubscriptionFilter", |input: &DeleteSubscriptionFilterRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn delete_subscription_filter(
    logs: Arc<Logs>,
    context: Context,
    input: DeleteSubscriptionFilterRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let change = logs.change_group(&id, |_tx, record| {
        let removed = record.subscriptions.as_mut().and_then(|filters| filters.remove(&input.filter_name));
        removed.map(drop).ok_or(Refusal::NoFilter)
    });
    change.await?;
    Ok(Unit {})
}
