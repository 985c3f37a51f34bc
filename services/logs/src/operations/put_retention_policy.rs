//! `PutRetentionPolicy`: how long a group keeps its events from now on.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{PutRetentionPolicy, PutRetentionPolicyRequest};
use apus_schema::{ServiceError, Unit};

use crate::names::{GroupId, group_resource};
use crate::store::{Schedule, Task};
use crate::{Logs, retention};

pub(crate) const ACCESS: Access<PutRetentionPolicy> =
    Access::new("logs:PutRetentionPolicy", |input: &PutRetentionPolicyRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn put_retention_policy(
    logs: Arc<Logs>,
    context: Context,
    input: PutRetentionPolicyRequest,
) -> Result<Unit, ServiceError> {
    let days = retention::check(input.retention_in_days)?;
    let id = GroupId::of(&context.caller, input.log_group_name);
    let nonce = logs.env.random_u64();
    let change = logs.change_group(&id, |tx, record| {
        record.retention_days = Some(days);
        record.tended_at_micros = Some(tx.now().as_micros());
        Schedule::new().put(tx, tx.now(), nonce, &Task::Retain(id.clone()));
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
