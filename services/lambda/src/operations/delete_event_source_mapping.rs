//! `DeleteEventSourceMapping`: ends a mapping. Batches that the function works on are ended first.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    DeleteEventSourceMapping, DeleteEventSourceMappingRequest, EventSourceMappingConfiguration,
};
use apus_schema::ServiceError;

use crate::mapping::{describe, state};
use crate::store::mapping::MappingRecord;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:DeleteEventSourceMapping";

pub(crate) const ACCESS: Access<DeleteEventSourceMapping> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_event_source_mapping(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let (id, _) = lambda.permitted_mapping(&context, ACTION, &input.uuid).await?;
    let revision = lambda.env.uuid_v4();
    let delete = |before: &MappingRecord| {
        Ok(MappingRecord {
            state: state::DELETING.to_owned(),
            modified_at_micros: context.now.as_micros(),
            revision: revision.clone(),
            ..before.clone()
        })
    };
    let record = lambda.change_mapping(&id, "delete", delete).await?;
    Ok(describe::configuration(&id, &record, lambda.mappings.result(&id)))
}
