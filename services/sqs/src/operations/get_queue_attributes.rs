//! `GetQueueAttributes`: what was set, and how many messages there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{
    GetQueueAttributes, GetQueueAttributesRequest, GetQueueAttributesResult, QueueAttributeName,
};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::{Sqs, errors};

pub(crate) const ACCESS: Access<GetQueueAttributes> =
    Access::new("sqs:GetQueueAttributes", |input: &GetQueueAttributesRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn get_queue_attributes(
    sqs: Arc<Sqs>,
    context: Context,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let wanted: Vec<String> = input.attribute_names.iter().flatten().map(ToString::to_string).collect();
    if let Some(unknown) = wanted.iter().find(|name| !is_known(name)) {
        return Err(errors::unknown_attribute(unknown));
    }
    let seen = sqs.lanes.look(&id).await?;
    let seconds = |micros: i64| micros.div_euclid(1_000_000).to_string();
    let mut shown = seen.queue.attributes.shown();
    shown.extend([
        ("QueueArn", id.arn().to_string()),
        ("CreatedTimestamp", seconds(seen.queue.created_at_micros)),
        ("LastModifiedTimestamp", seconds(seen.queue.modified_at_micros)),
        ("ApproximateNumberOfMessages", seen.counts.ready.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", seen.counts.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", seen.counts.delayed.to_string()),
    ]);
    let attributes: BTreeMap<String, String> = shown
        .into_iter()
        .filter(|(name, _)| wanted.iter().any(|wanted| wanted == "All" || wanted == name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(GetQueueAttributesResult { attributes: (!attributes.is_empty()).then_some(attributes) })
}

/// Whether the model lists the name.
fn is_known(name: &str) -> bool {
    QueueAttributeName::VALUES.contains(&name)
}
