//! From a name in a request to the function that is meant, and whether the caller may do that with it.
//!
//! A function's own policy can let in whom his policies do not, so that nobody can decide before it was read:
//! operations on functions ask here, not at the door. The question is about what was named, with its qualifier.

use apus_kernel::{Access, AccessRequest, Caller, Context, Resource, ResourcePolicy};
use apus_schema::{Operation, ServiceError};

use crate::Lambda;
use crate::errors::{self, Failure};
use crate::function_name::{self, FunctionReference};
use crate::permission;
use crate::store::find::Found;
use crate::store::policy::PolicyRecord;
use crate::store::{self, FunctionRecord, find};

/// The access of an operation whose handler asks, by [`Lambda::permitted`] and its like.
pub(crate) const fn asked_inside<O: Operation>(action: &'static str) -> Access<O> {
    Access::free(action)
}

/// What a request names, for the question whether it is allowed. A text that names nothing is asked about as
/// it is: the handler will say why.
pub(crate) fn resources(text: &str, qualifier: Option<&str>, caller: &Caller) -> Vec<Resource> {
    let parsed = function_name::parse(text, qualifier, caller.account, &caller.region);
    vec![parsed.map_or(Resource::All, |function| function.arn().into())]
}

/// The function that a request names. Who names none hears so if he may do that with anything.
async fn named(
    context: &Context,
    action: &'static str,
    text: &str,
    qualifier: Option<&str>,
) -> Result<FunctionReference, ServiceError> {
    let caller = &context.caller;
    let qualifier = qualifier.filter(|qualifier| !qualifier.is_empty());
    match function_name::parse(text, qualifier, caller.account, &caller.region) {
        Ok(function) => Ok(function),
        Err(error) => {
            context.platform().authorize(context, action, [Resource::All]).await?;
            Err(errors::name_error(error, caller.region.as_str()))
        }
    }
}

/// Asks whether the call may do that with the function, whose own policy has its say.
async fn permit(
    context: &Context,
    action: &'static str,
    function: &FunctionReference,
    policy: Option<&PolicyRecord>,
) -> Result<(), ServiceError> {
    if policy.is_none() && function.id.account != context.caller.account {
        let principal = context.caller.principal.to_string();
        return Err(errors::no_resource_policy(&principal, action, function));
    }
    let document = policy.map(|policy| permission::document(&policy.statements));
    let mut request = AccessRequest::new(context, action, function.arn().into());
    request.resource_policy =
        document.as_deref().map(|document| ResourcePolicy { document, must_allow: false });
    context.platform().permit(&request).await
}

impl Lambda {
    /// The function that a request names, if the caller may do that with it; whether it is there is not known.
    pub(crate) async fn permitted(
        &self,
        context: &Context,
        action: &'static str,
        text: &str,
        qualifier: Option<&str>,
    ) -> Result<FunctionReference, ServiceError> {
        let function = named(context, action, text, qualifier).await?;
        let named = function.clone();
        let policy = self
            .store
            .read(|tx| async move { store::policy::get(&tx, &named.id, named.qualifier.as_deref()).await });
        permit(context, action, &function, policy.await.map_err(Failure::from)?.as_ref()).await?;
        Ok(function)
    }

    /// The same for what a function has as a whole, and no version or alias of its own.
    pub(crate) async fn permitted_whole(
        &self,
        context: &Context,
        action: &'static str,
        text: &str,
    ) -> Result<FunctionReference, ServiceError> {
        let function = self.permitted(context, action, text, None).await?;
        if function.qualifier.is_some() {
            return Err(errors::functions_only());
        }
        Ok(function)
    }

    /// The function that an ARN of something with tags names.
    pub(crate) async fn permitted_tagged(
        &self,
        context: &Context,
        action: &'static str,
        arn: &str,
    ) -> Result<FunctionReference, ServiceError> {
        if !arn.contains(":function:") {
            context.platform().authorize(context, action, [Resource::All]).await?;
            return Err(errors::not_supported("tags on anything but functions and event source mappings"));
        }
        let function = self.permitted(context, action, arn, None).await?;
        if function.qualifier.is_some() {
            return Err(errors::tags_on_functions_only());
        }
        Ok(function)
    }

    /// `$LATEST`, with what all versions share.
    pub(crate) async fn latest(&self, function: &FunctionReference) -> Result<FunctionRecord, ServiceError> {
        let id = function.id.clone();
        let found = self.store.read(|tx| async move { store::function::get(&tx, &id).await }).await;
        found.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(function))
    }

    /// Changes what all versions share.
    pub(crate) async fn change(
        &self,
        function: &FunctionReference,
        change: impl Fn(&mut FunctionRecord) -> Result<(), ServiceError> + Send + Sync,
    ) -> Result<(), ServiceError> {
        let kept = self.store.transact(|tx| {
            let change = &change;
            async move {
                let found = store::function::get(&tx, &function.id).await?;
                let mut record = found.ok_or_else(|| errors::function_not_found(function))?;
                change(&mut record)?;
                store::function::put(&tx, &function.id, &record);
                Ok::<_, Failure>(())
            }
        });
        Ok(kept.await?)
    }

    /// The function that a request names, and the version that it leads to. Of an alias that leads to several,
    /// `chance` (from 0 to below 1) decides.
    pub(crate) async fn found(
        &self,
        context: &Context,
        action: &'static str,
        text: &str,
        qualifier: Option<&str>,
        chance: Option<f64>,
    ) -> Result<(FunctionReference, Found), ServiceError> {
        let function = named(context, action, text, qualifier).await?;
        let asked = function.clone();
        let read = self.store.read(|tx| async move { find::find_with_policy(&tx, &asked, chance).await });
        let (policy, found) = read.await.map_err(Failure::from)?;
        permit(context, action, &function, policy.as_ref()).await?;
        let found = found.ok_or_else(|| errors::function_not_found(&function))?;
        Ok((function, found))
    }
}
