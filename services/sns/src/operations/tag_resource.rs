//! `TagResource`: sets tags of a topic.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{TagResource, TagResourceRequest, TagResourceResponse};
use apus_schema::ServiceError;

use super::{change_topic, resource_of};
use crate::topic::TopicId;
use crate::{Sns, errors, tags};

pub(crate) const ACCESS: Access<TagResource> =
    Access::new("sns:TagResource", |input: &TagResourceRequest, _| resource_of(&input.resource_arn));

pub(crate) async fn tag_resource(
    sns: Arc<Sns>,
    _context: Context,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, ServiceError> {
    let id = TopicId::parse(&input.resource_arn, "ResourceArn")?;
    let changed = change_topic(&sns, &id, |topic| {
        topic.tags = tags::added(&topic.tags, input.tags.clone())?;
        Ok(())
    });
    changed.await.map_err(errors::as_resource)?;
    Ok(TagResourceResponse {})
}
