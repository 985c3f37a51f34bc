//! `UntagResource`: removes tags of a function or an event source mapping.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{UntagResource, UntagResourceRequest};
use apus_schema::{ServiceError, Unit};

use crate::mapping::id::MappingId;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:UntagResource";

pub(crate) const ACCESS: Access<UntagResource> = resolve::asked_inside(ACTION);

pub(crate) async fn untag_resource(
    lambda: Arc<Lambda>,
    context: Context,
    input: UntagResourceRequest,
) -> Result<Unit, ServiceError> {
    if let Some(id) = MappingId::from_arn(&input.resource) {
        let change = |tags: &mut BTreeMap<String, String>| {
            tags.retain(|name, _| !input.tag_keys.contains(name));
            Ok(())
        };
        lambda.change_mapping_tags(&context, ACTION, id, change).await?;
        return Ok(Unit);
    }
    let function = lambda.permitted_tagged(&context, ACTION, &input.resource).await?;
    let change = |record: &mut crate::store::FunctionRecord| {
        record.tags.retain(|name, _| !input.tag_keys.contains(name));
        Ok(())
    };
    lambda.change(&function, change).await?;
    Ok(Unit)
}
