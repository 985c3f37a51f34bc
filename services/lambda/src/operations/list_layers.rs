//! `ListLayers`: the layers of an account in a region by name, each with its last version that is fit, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{LayersListItem, ListLayers, ListLayersRequest, ListLayersResponse};
use apus_schema::ServiceError;
use apus_store::StoreError;

use crate::errors::Failure;
use crate::layer_name::LayerId;
use crate::{Lambda, layer, marker, store};

pub(crate) const ACCESS: Access<ListLayers> = Access::on_all("lambda:ListLayers");

pub(crate) async fn list_layers(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListLayersRequest,
) -> Result<ListLayersResponse, ServiceError> {
    let after = marker::read(input.marker.as_deref())?;
    let page = marker::page(input.max_items);
    let (runtime, architecture) = (input.compatible_runtime, input.compatible_architecture);
    let caller = context.caller;
    let any = LayerId { account: caller.account, region: caller.region, name: String::new() };
    let read = lambda.store.read(|tx| async move {
        let mut rows = Vec::new();
        let mut after = after;
        // Layers without a version that is fit are passed over.
        while rows.len() <= page {
            let names = store::layer::names(&tx, &any, after.as_deref(), page + 1).await?;
            let Some(last) = names.last().cloned() else { break };
            after = Some(last);
            for name in names {
                let id = LayerId { name, ..any.clone() };
                let versions = store::layer::versions(&tx, &id).await?;
                let is_fit =
                    |record: &_| layer::is_compatible(record, runtime.as_ref(), architecture.as_ref());
                let fit = versions.into_iter().rfind(|(_, record)| is_fit(record));
                rows.extend(fit.map(|(number, record)| (id, number, record)));
            }
        }
        Ok::<_, StoreError>(rows)
    });
    let mut rows = read.await.map_err(Failure::from)?;
    let next_marker = marker::cut(&mut rows, page, |(id, ..)| id.name.clone());
    let layers = rows.iter().map(|(id, number, record)| LayersListItem {
        layer_name: Some(id.name.clone()),
        layer_arn: Some(id.arn().to_string()),
        latest_matching_version: Some(layer::describe_item(*number, record)),
    });
    Ok(ListLayersResponse { next_marker, layers: Some(layers.collect()) })
}
