//! `ListTagsLogGroup`: the tags of a group that is given by its name.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{ListTagsLogGroup, ListTagsLogGroupRequest, ListTagsLogGroupResponse};
use apus_schema::ServiceError;

use crate::Logs;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<ListTagsLogGroup> =
    Access::new("logs:ListTagsLogGroup", |input: &ListTagsLogGroupRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn list_tags_log_group(
    logs: Arc<Logs>,
    context: Context,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, ServiceError> {
    let record = logs.group(&GroupId::of(&context.caller, input.log_group_name)).await?;
    Ok(ListTagsLogGroupResponse { tags: Some(record.tags.unwrap_or_default()) })
}
