//! `UntagLogGroup`: takes tags from a group that is given by its name.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{UntagLogGroup, UntagLogGroupRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<UntagLogGroup> =
    Access::new("logs:UntagLogGroup", |input: &UntagLogGroupRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn untag_log_group(
    logs: Arc<Logs>,
    context: Context,
    input: UntagLogGroupRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let change = logs.change_group(&id, |_tx, record| {
        if let Some(tags) = &mut record.tags {
            tags.retain(|key, _| !input.tags.contains(key));
        }
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
