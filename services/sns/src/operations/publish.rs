//! `Publish`: acknowledged once the message is on disk; its way to the subscribers begins then.

use std::sync::Arc;

use apus_kernel::{Access, Context, Resource};
use apus_model_sns::{Publish, PublishInput, PublishResponse};
use apus_schema::ServiceError;

use super::resource_of;
use crate::errors::ParameterError;
use crate::message::Message;
use crate::topic::TopicId;
use crate::{Sns, publishing, text_message};

pub(crate) const ACCESS: Access<Publish> = Access::new("sns:Publish", |input: &PublishInput, _| {
    if input.phone_number.is_some() {
        return vec![Resource::All];
    }
    input.topic_arn.as_deref().or(input.target_arn.as_deref()).map(resource_of).unwrap_or_default()
});

pub(crate) async fn publish(
    sns: Arc<Sns>,
    context: Context,
    input: PublishInput,
) -> Result<PublishResponse, ServiceError> {
    let Some(arn) = input.topic_arn.or(input.target_arn) else {
        let Some(number) = input.phone_number else {
            let missing = "TopicArn or TargetArn Reason: no value for required parameter";
            return Err(ParameterError::plain(missing).into());
        };
        return text_message::publish(&sns, number, input.message, input.message_attributes).await;
    };
    if input.phone_number.is_some() {
        let both = "PhoneNumber Reason: a message goes to a topic or to a number, not to both";
        return Err(ParameterError::plain(both).into());
    }
    let id = TopicId::parse(&arn, "TopicArn")?;
    let mut message = Message::new(
        input.message,
        input.subject,
        input.message_structure.as_deref(),
        input.message_attributes.unwrap_or_default(),
        input.message_group_id,
        input.message_deduplication_id,
    )?;
    message.trace = context.origin.trace;
    let message_id = sns.env.uuid_v4();
    let published = publishing::publish(&sns, &id, vec![(message, message_id)]).await?;
    let published =
        published.into_iter().next().ok_or_else(|| ServiceError::internal("one message has one answer"))?;
    Ok(PublishResponse { message_id: Some(published.message_id), sequence_number: published.sequence_number })
}
