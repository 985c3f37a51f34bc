//! `ListTags`: the tags of a function or an event source mapping.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListTags, ListTagsRequest, ListTagsResponse};
use apus_schema::ServiceError;

use crate::mapping::id::MappingId;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:ListTags";

pub(crate) const ACCESS: Access<ListTags> = resolve::asked_inside(ACTION);

pub(crate) async fn list_tags(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListTagsRequest,
) -> Result<ListTagsResponse, ServiceError> {
    if let Some(id) = MappingId::from_arn(&input.resource) {
        let (_, record) = lambda.permitted_mapping_of(&context, ACTION, id).await?;
        return Ok(ListTagsResponse { tags: Some(record.tags) });
    }
    let function = lambda.permitted_tagged(&context, ACTION, &input.resource).await?;
    let record = lambda.latest(&function).await?;
    Ok(ListTagsResponse { tags: Some(record.tags) })
}
