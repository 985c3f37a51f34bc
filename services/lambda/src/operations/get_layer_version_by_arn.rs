//! `GetLayerVersionByArn`: what a layer version holds.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{GetLayerVersionByArn, GetLayerVersionByArnRequest, GetLayerVersionResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, layer, layer_name, resolve};

const ACTION: &str = "lambda:GetLayerVersion";

pub(crate) const ACCESS: Access<GetLayerVersionByArn> = resolve::asked_inside(ACTION);

pub(crate) async fn get_layer_version_by_arn(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionResponse, ServiceError> {
    let parsed = layer_name::parse_version(&input.arn);
    let parsed = parsed.filter(|(id, _)| id.region == context.caller.region);
    let (id, number) = parsed.ok_or_else(|| errors::no_layer_name(&input.arn))?;
    let found = lambda.permitted_version(&context, ACTION, &id, number).await?;
    let record = found.ok_or_else(errors::no_layer_version)?;
    let location = lambda.downloads.url(&context, record.content.blob());
    Ok(layer::describe(&id, number, &record, location).map_err(Failure::from)?)
}
