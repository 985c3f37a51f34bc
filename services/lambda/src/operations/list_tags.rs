//! `ListTags`: the tags of a function.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListTags, ListTagsRequest, ListTagsResponse};
use apus_schema::ServiceError;

use crate::{Lambda, resolve};

const ACTION: &str = "lambda:ListTags";

pub(crate) const ACCESS: Access<ListTags> = resolve::asked_inside(ACTION);

pub(crate) async fn list_tags(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListTagsRequest,
) -> Result<ListTagsResponse, ServiceError> {
    let function = lambda.permitted_tagged(&context, ACTION, &input.resource).await?;
    let record = lambda.latest(&function).await?;
    Ok(ListTagsResponse { tags: Some(record.tags) })
}
