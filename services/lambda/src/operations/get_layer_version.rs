//! `GetLayerVersion`: what a layer version holds.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{GetLayerVersion, GetLayerVersionRequest, GetLayerVersionResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, layer, resolve};

const ACTION: &str = "lambda:GetLayerVersion";

pub(crate) const ACCESS: Access<GetLayerVersion> = resolve::asked_inside(ACTION);

pub(crate) async fn get_layer_version(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse, ServiceError> {
    let id = Lambda::layer(&context, &input.layer_name)?;
    let number = u64::try_from(input.version_number).unwrap_or(0);
    let found = lambda.permitted_version(&context, ACTION, &id, number).await?;
    let record = found.ok_or_else(errors::no_layer_version)?;
    let location = lambda.downloads.url(&context, record.content.blob());
    Ok(layer::describe(&id, number, &record, location).map_err(Failure::from)?)
}
