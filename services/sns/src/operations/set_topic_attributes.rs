//! `SetTopicAttributes`: sets one attribute.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{SetTopicAttributes, SetTopicAttributesInput};
use apus_schema::{ServiceError, Unit};

use super::{change_topic, resource_of};
use crate::Sns;
use crate::errors::ParameterError;
use crate::topic::TopicId;

pub(crate) const ACCESS: Access<SetTopicAttributes> =
    Access::new("sns:SetTopicAttributes", |input: &SetTopicAttributesInput, _| resource_of(&input.topic_arn));

pub(crate) async fn set_topic_attributes(
    sns: Arc<Sns>,
    _context: Context,
    input: SetTopicAttributesInput,
) -> Result<Unit, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    if input.attribute_name == "FifoTopic" {
        return Err(ParameterError::plain("AttributeName").into());
    }
    let value = input.attribute_value.unwrap_or_default();
    change_topic(&sns, &id, |topic| Ok(topic.attributes.set(&input.attribute_name, &value)?)).await?;
    Ok(Unit)
}
