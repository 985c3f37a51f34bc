//! `ListCodeSigningConfigs`: the account's configurations in a region.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListCodeSigningConfigs, ListCodeSigningConfigsRequest, ListCodeSigningConfigsResponse,
};
use apus_schema::ServiceError;

use crate::code_signing::{self, SigningId};
use crate::errors::Failure;
use crate::{Lambda, marker, store};

pub(crate) const ACCESS: Access<ListCodeSigningConfigs> = Access::on_all("lambda:ListCodeSigningConfigs");

pub(crate) async fn list_code_signing_configs(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListCodeSigningConfigsRequest,
) -> Result<ListCodeSigningConfigsResponse, ServiceError> {
    let after = marker::read(input.marker.as_deref())?;
    let (page, any) = (marker::page(input.max_items), &SigningId::any(&context.caller));
    let read = lambda.store.read(|tx| {
        let after = after.clone();
        async move { store::code_signing::list(&tx, any, after.as_deref(), page + 1).await }
    });
    let mut rows = read.await.map_err(Failure::from)?;
    let next_marker = marker::cut(&mut rows, page, |(id, _)| id.clone());
    let shown = rows
        .into_iter()
        .map(|(id, record)| code_signing::describe(&SigningId { id, ..any.clone() }, &record));
    Ok(ListCodeSigningConfigsResponse { next_marker, code_signing_configs: Some(shown.collect()) })
}
