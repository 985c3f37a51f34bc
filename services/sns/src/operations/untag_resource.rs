//! `UntagResource`: removes tags of a topic.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{UntagResource, UntagResourceRequest, UntagResourceResponse};
use apus_schema::ServiceError;

use super::{change_topic, resource_of};
use crate::topic::TopicId;
use crate::{Sns, errors};

pub(crate) const ACCESS: Access<UntagResource> =
    Access::new("sns:UntagResource", |input: &UntagResourceRequest, _| resource_of(&input.resource_arn));

pub(crate) async fn untag_resource(
    sns: Arc<Sns>,
    _context: Context,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, ServiceError> {
    let id = TopicId::parse(&input.resource_arn, "ResourceArn")?;
    let changed = change_topic(&sns, &id, |topic| {
        topic.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    });
    changed.await.map_err(errors::as_resource)?;
    Ok(UntagResourceResponse {})
}
