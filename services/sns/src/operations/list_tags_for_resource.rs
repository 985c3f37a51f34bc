//! `ListTagsForResource`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{
    ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, errors as modelled,
};
use apus_schema::ServiceError;

use super::resource_of;
use crate::Sns;
use crate::topic::TopicId;

pub(crate) const ACCESS: Access<ListTagsForResource> =
    Access::new("sns:ListTagsForResource", |input: &ListTagsForResourceRequest, _| {
        resource_of(&input.resource_arn)
    });

pub(crate) async fn list_tags_for_resource(
    sns: Arc<Sns>,
    _context: Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let id = TopicId::parse(&input.resource_arn, "ResourceArn")?;
    let topic = sns.topic(&id).await?;
    let topic = topic.ok_or_else(|| modelled::resource_not_found_exception("Resource does not exist"))?;
    let tags = topic.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}
