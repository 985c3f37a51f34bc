//! `DeleteLogGroup`: takes a group away at once; what it holds is deleted step by step.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{DeleteLogGroup, DeleteLogGroupRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::Refusal;
use crate::names::{GroupId, group_resource};
use crate::store::{self, Schedule, Task};

pub(crate) const ACCESS: Access<DeleteLogGroup> =
    Access::new("logs:DeleteLogGroup", |input: &DeleteLogGroupRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn delete_log_group(
    logs: Arc<Logs>,
    context: Context,
    input: DeleteLogGroupRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let nonce = logs.env.random_u64();
    let gone = logs.change(|tx| {
        let id = id.clone();
        async move {
            let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
            store::delete_group(&tx, &id);
            let GroupId { account, region, .. } = id;
            let task = Task::ClearGroup { account, region, number: record.number };
            Schedule::new().put(&tx, tx.now(), nonce, &task);
            Ok(())
        }
    });
    gone.await?;
    Ok(Unit {})
}
