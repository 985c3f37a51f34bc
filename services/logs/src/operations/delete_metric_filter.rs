//! `DeleteMetricFilter`: forgets a metric filter.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{DeleteMetricFilter, DeleteMetricFilterRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::Refusal;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<DeleteMetricFilter> =
    Access::new("logs:DeleteMetricFilter", |input: &DeleteMetricFilterRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn delete_metric_filter(
    logs: Arc<Logs>,
    context: Context,
    input: DeleteMetricFilterRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let change = logs.change_group(&id, |_tx, record| {
        let removed = record.metric_filters.as_mut().and_then(|filters| filters.remove(&input.filter_name));
        removed.map(drop).ok_or(Refusal::NoFilter)
    });
    change.await?;
    Ok(Unit {})
}
