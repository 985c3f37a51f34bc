//! `CreateEventSourceMapping`: from now on what arrives at a source is handed to a function.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context, Resource};
use apus_model_lambda::{
    CreateEventSourceMapping, CreateEventSourceMappingRequest, EventSourceMappingConfiguration,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::function_name::{self, FunctionReference};
use crate::mapping::access::permit;
use crate::mapping::id::MappingId;
use crate::mapping::{self, describe, settings, state};
use crate::store::find::{Found, find};
use crate::store::mapping::MappingRecord;
use crate::{Lambda, resolve, store, tags};

const ACTION: &str = "lambda:CreateEventSourceMapping";

pub(crate) const ACCESS: Access<CreateEventSourceMapping> = resolve::asked_inside(ACTION);

pub(crate) async fn create_event_source_mapping(
    lambda: Arc<Lambda>,
    context: Context,
    input: CreateEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let function = named(&context, ACTION, &input.function_name).await?;
    let source = settings::source(&input)?;
    let wanted = settings::Wanted::of_create(&input)?;
    let new = MappingRecord {
        source: source.to_string(),
        function: function.id.name.clone(),
        qualifier: function.qualifier.clone(),
        ..MappingRecord::default()
    };
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags, "Number of tags exceeds resource tag limit.")?;
    let record = MappingRecord {
        state: state::CREATING.to_owned(),
        modified_at_micros: context.now.as_micros(),
        revision: lambda.env.uuid_v4(),
        tags,
        ..wanted.apply(&new)?
    };
    lambda.check_source(&context, &function, &source).await?;
    let id = MappingId {
        account: function.id.account,
        region: function.id.region.clone(),
        uuid: lambda.env.uuid_v4(),
    };
    let kept = lambda.store.transact(|tx| {
        let (id, record, function) = (&id, &record, &function);
        async move {
            if find(&tx, function, None).await?.is_none() {
                return Err(errors::function_not_found(function).into());
            }
            if let Some(uuid) = store::mapping::of_pair(&tx, id, record).await? {
                return Err(mapping::errors::exists(&record.source, &record.function, &uuid).into());
            }
            store::mapping::put(&tx, id, None, record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    lambda.mappings.changed(&id);
    Ok(describe::configuration(&id, &record, None))
}

/// The function that a request names, of the caller's account, if the call may do that with a mapping of it.
pub(crate) async fn named(
    context: &Context,
    action: &'static str,
    text: &str,
) -> Result<FunctionReference, ServiceError> {
    let caller = &context.caller;
    match function_name::parse(text, None, caller.account, &caller.region) {
        Ok(function) => {
            permit(context, action, Resource::All, Some(&function)).await?;
            if function.id.account == caller.account {
                Ok(function)
            } else {
                Err(errors::function_not_found(&function))
            }
        }
        Err(error) => {
            permit(context, action, Resource::All, None).await?;
            Err(errors::name_error(error, caller.region.as_str()))
        }
    }
}

impl Lambda {
    /// Refuses a function that is not there, and a source that is not for it.
    pub(crate) async fn check_source(
        &self,
        context: &Context,
        function: &FunctionReference,
        source: &Arn,
    ) -> Result<(), ServiceError> {
        let asked = function.clone();
        let found = self.store.read(|tx| async move { find(&tx, &asked, None).await }).await;
        let found: Found =
            found.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(function))?;
        let region = function.id.region.as_str();
        if source.region != region {
            return Err(mapping::errors::other_region(&source.to_string(), region));
        }
        self.check_queue(context, function, &found, source).await
    }
}
