//! `DeleteRetentionPolicy`: a group keeps its events for ever from now on.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{DeleteRetentionPolicy, DeleteRetentionPolicyRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<DeleteRetentionPolicy> =
    Access::new("logs:DeleteRetentionPolicy", |input: &DeleteRetentionPolicyRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn delete_retention_policy(
    logs: Arc<Logs>,
    context: Context,
    input: DeleteRetentionPolicyRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let change = logs.change_group(&id, |_tx, record| {
        record.retention_days = None;
        record.tended_at_micros = None;
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
