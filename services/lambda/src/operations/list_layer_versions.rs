//! `ListLayerVersions`: the versions of a layer, the last one first, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListLayerVersions, ListLayerVersionsRequest, ListLayerVersionsResponse};
use apus_schema::ServiceError;

use crate::errors::Failure;
use crate::{Lambda, layer, marker, resolve, store};

const ACTION: &str = "lambda:ListLayerVersions";

pub(crate) const ACCESS: Access<ListLayerVersions> = resolve::asked_inside(ACTION);

pub(crate) async fn list_layer_versions(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse, ServiceError> {
    let id = lambda.permitted_layer(&context, ACTION, &input.layer_name).await?;
    let before = marker::read_number(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let (runtime, architecture) = (input.compatible_runtime, input.compatible_architecture);
    let rows = lambda.store.read(|tx| async move { store::layer::versions(&tx, &id).await }).await;
    let mut rows = rows.map_err(Failure::from)?;
    rows.retain(|(number, record)| {
        before.is_none_or(|before| *number < before)
            && layer::is_compatible(record, runtime.as_ref(), architecture.as_ref())
    });
    rows.reverse();
    let next_marker = marker::cut(&mut rows, page, |(number, _)| number.to_string());
    let layer_versions = rows.iter().map(|(number, record)| layer::describe_item(*number, record)).collect();
    Ok(ListLayerVersionsResponse { next_marker, layer_versions: Some(layer_versions) })
}
