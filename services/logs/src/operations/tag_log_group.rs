//! `TagLogGroup`: tags a group that is given by its name, as clients did before `TagResource`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{TagLogGroup, TagLogGroupRequest};
use apus_schema::{ServiceError, Unit};

use crate::names::{GroupId, group_resource};
use crate::{Logs, tags};

pub(crate) const ACCESS: Access<TagLogGroup> =
    Access::new("logs:TagLogGroup", |input: &TagLogGroupRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn tag_log_group(
    logs: Arc<Logs>,
    context: Context,
    input: TagLogGroupRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let change = logs.change_group(&id, |_tx, record| {
        record.tags = tags::merged(record.tags.take(), input.tags.clone())?;
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
