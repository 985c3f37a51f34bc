//! `ListFunctions`: the functions of an account in a region, by name, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{ListFunctions, ListFunctionsRequest, ListFunctionsResponse};
use apus_schema::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionId, FunctionReference, LATEST};
use crate::limits::PAGE_MAX;
use crate::{Lambda, store};

pub(crate) const ACCESS: Access<ListFunctions> = Access::on_all("lambda:ListFunctions");

pub(crate) async fn list_functions(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, ServiceError> {
    if input.master_region.is_some() {
        return Err(errors::not_supported("MasterRegion"));
    }
    let after = input.marker.as_deref().map(read_marker).transpose()?;
    let page = input.max_items.and_then(|items| usize::try_from(items).ok());
    let page = page.map_or(PAGE_MAX, |items| items.clamp(1, PAGE_MAX));
    let caller = context.caller;
    let id = |name: String| FunctionId { account: caller.account, region: caller.region.clone(), name };
    let any = id(String::new());
    // One more than the page tells whether another page follows.
    let listed = lambda
        .store
        .read(|tx| async move { store::function::list(&tx, &any, after.as_deref(), page + 1).await })
        .await;
    let mut listed = listed.map_err(Failure::from)?;
    let more = listed.len() > page;
    listed.truncate(page);
    let next_marker = listed.last().filter(|_| more).map(|(name, _)| URL_SAFE_NO_PAD.encode(name));
    // With their versions, of which there is one, functions appear under qualified ARNs.
    let qualifier = input.function_version.map(|_| LATEST.to_owned());
    let functions: Result<_, _> = listed
        .into_iter()
        .map(|(name, record)| {
            let function = FunctionReference { id: id(name), qualifier: qualifier.clone() };
            configuration(&function, &record, Detail::Listed)
        })
        .collect();
    Ok(ListFunctionsResponse { next_marker, functions: Some(functions.map_err(Failure::from)?) })
}

fn read_marker(marker: &str) -> Result<String, ServiceError> {
    let name = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| errors::invalid_parameter("The marker is none that ListFunctions gave out."))
}
