//! From a name in a request to the function that is meant, and whether the caller may do that with it.

use apus_kernel::{Caller, Context, Resource};
use apus_schema::ServiceError;

use crate::Lambda;
use crate::errors::{self, Failure};
use crate::function_name::{self, FunctionReference, LATEST};
use crate::store::{self, FunctionRecord};

/// What a request names, for the question whether it is allowed. A text that names nothing is asked about as
/// it is: the handler will say why.
pub(crate) fn resources(text: &str, qualifier: Option<&str>, caller: &Caller) -> Vec<Resource> {
    let parsed = function_name::parse(text, qualifier, caller.account, &caller.region);
    vec![parsed.map_or(Resource::All, |function| function.arn().into())]
}

/// The function that a request names. A function of another account is refused: no resource policy opens one.
pub(crate) fn reference(
    context: &Context,
    action: &str,
    text: &str,
    qualifier: Option<&str>,
) -> Result<FunctionReference, ServiceError> {
    let caller = &context.caller;
    let function = function_name::parse(text, qualifier, caller.account, &caller.region)
        .map_err(|error| errors::name_error(error, caller.region.as_str()))?;
    if function.id.account != caller.account {
        let principal = caller.principal.to_string();
        return Err(errors::no_resource_policy(&principal, action, &function));
    }
    Ok(function)
}

/// The same for what a function has as a whole, and no version or alias of its own.
pub(crate) fn unqualified(
    context: &Context,
    action: &str,
    text: &str,
) -> Result<FunctionReference, ServiceError> {
    let function = reference(context, action, text, None)?;
    if function.qualifier.is_some() {
        return Err(errors::functions_only());
    }
    Ok(function)
}

impl Lambda {
    /// The record of a function, of its only version.
    pub(crate) async fn record(&self, function: &FunctionReference) -> Result<FunctionRecord, ServiceError> {
        if function.qualifier.as_deref().is_some_and(|qualifier| qualifier != LATEST) {
            return Err(errors::function_not_found(function));
        }
        let id = function.id.clone();
        let found = self.store.read(|tx| async move { store::function::get(&tx, &id).await }).await;
        found.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(function))
    }
}
