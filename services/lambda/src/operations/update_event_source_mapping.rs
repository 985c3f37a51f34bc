//! `UpdateEventSourceMapping`: changes a mapping while it runs; enables and disables it.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_lambda::{
    EventSourceMappingConfiguration, UpdateEventSourceMapping, UpdateEventSourceMappingRequest,
};
use apus_schema::ServiceError;

use crate::function_name::{self, FunctionReference};
use crate::mapping::settings::Wanted;
use crate::mapping::{self, describe, state};
use crate::store::mapping::MappingRecord;
use crate::{Lambda, errors, resolve};

const ACTION: &str = "lambda:UpdateEventSourceMapping";

pub(crate) const ACCESS: Access<UpdateEventSourceMapping> = resolve::asked_inside(ACTION);

pub(crate) async fn update_event_source_mapping(
    lambda: Arc<Lambda>,
    context: Context,
    input: UpdateEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let (id, before) = lambda.permitted_mapping(&context, ACTION, &input.uuid).await?;
    let wanted = Wanted::of_update(&input)?;
    let function = input.function_name.as_deref().map(|text| named(&context, text)).transpose()?;
    wanted.clone().apply(&before)?;
    if let Some(function) = &function {
        let source: Arn = before.source.parse().map_err(|_| mapping::errors::unknown_source())?;
        lambda.check_source(&context, function, &source).await?;
    }
    let revision = lambda.env.uuid_v4();
    let update = |before: &MappingRecord| {
        let after = wanted.clone().apply(before)?;
        let (name, qualifier) = match &function {
            Some(function) => (function.id.name.clone(), function.qualifier.clone()),
            None => (after.function.clone(), after.qualifier.clone()),
        };
        Ok(MappingRecord {
            function: name,
            qualifier,
            state: state::changing(before, after.enabled).to_owned(),
            modified_at_micros: context.now.as_micros(),
            revision: revision.clone(),
            ..after
        })
    };
    let record = lambda.change_mapping(&id, "update", update).await?;
    Ok(describe::configuration(&id, &record, lambda.mappings.result(&id)))
}

/// The function that a request names, of the caller's account.
fn named(context: &Context, text: &str) -> Result<FunctionReference, ServiceError> {
    let caller = &context.caller;
    let function = function_name::parse(text, None, caller.account, &caller.region)
        .map_err(|error| errors::name_error(error, caller.region.as_str()))?;
    if function.id.account == caller.account {
        Ok(function)
    } else {
        Err(errors::function_not_found(&function))
    }
}
