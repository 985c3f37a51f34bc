//! `ListTagsForResource`: the tags of a group that is given by its resource name.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse};
use apus_schema::ServiceError;

use crate::Logs;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<ListTagsForResource> =
    Access::new("logs:ListTagsForResource", |input: &ListTagsForResourceRequest, caller| {
        match GroupId::from_arn(&input.resource_arn) {
            Some(id) => vec![id.arn().into()],
            None => group_resource(caller, ""),
        }
    });

pub(crate) async fn list_tags_for_resource(
    logs: Arc<Logs>,
    context: Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let id = super::tagged(&context.caller, &input.resource_arn)?;
    let record = logs.group(&id).await?;
    Ok(ListTagsForResourceResponse { tags: Some(record.tags.unwrap_or_default()) })
}
