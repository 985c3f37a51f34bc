//! `TagResource`: sets tags of a function or an event source mapping.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{TagResource, TagResourceRequest};
use apus_schema::{ServiceError, Unit};

use crate::mapping::id::MappingId;
use crate::{Lambda, errors, resolve, tags};

const ACTION: &str = "lambda:TagResource";

pub(crate) const ACCESS: Access<TagResource> = resolve::asked_inside(ACTION);

pub(crate) async fn tag_resource(
    lambda: Arc<Lambda>,
    context: Context,
    input: TagResourceRequest,
) -> Result<Unit, ServiceError> {
    if let Some(id) = MappingId::from_arn(&input.resource) {
        let change = |own: &mut BTreeMap<String, String>| {
            own.extend(input.tags.clone());
            tags::check(own, "Number of tags exceeds resource tag limit.")
        };
        lambda.change_mapping_tags(&context, ACTION, id, change).await?;
        return Ok(Unit);
    }
    let function = lambda.permitted_tagged(&context, ACTION, &input.resource).await?;
    if input.tags.is_empty() {
        return Err(errors::invalid_parameter("An error occurred and the request cannot be processed."));
    }
    let change = |record: &mut crate::store::FunctionRecord| {
        record.tags.extend(input.tags.clone());
        tags::check(&record.tags, "Number of tags exceeds resource tag limit.")
    };
    lambda.change(&function, change).await?;
    Ok(Unit)
}
