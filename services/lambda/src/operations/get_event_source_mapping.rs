//! `GetEventSourceMapping`: what a mapping is, and how it does.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    EventSourceMappingConfiguration, GetEventSourceMapping, GetEventSourceMappingRequest,
};
use apus_schema::ServiceError;

use crate::mapping::describe;
use crate::{Lambda, resolve};

const ACTION: &str = "lambda:GetEventSourceMapping";

pub(crate) const ACCESS: Access<GetEventSourceMapping> = resolve::asked_inside(ACTION);

pub(crate) async fn get_event_source_mapping(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let (id, record) = lambda.permitted_mapping(&context, ACTION, &input.uuid).await?;
    Ok(describe::configuration(&id, &record, lambda.mappings.result(&id)))
}
