//! `RemovePermission`: takes a statement out of the topic's policy, by its label.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{RemovePermission, RemovePermissionInput};
use apus_schema::{ServiceError, Unit};

use super::{change_topic, resource_of};
use crate::topic::TopicId;
use crate::{Sns, permissions};

pub(crate) const ACCESS: Access<RemovePermission> =
    Access::new("sns:RemovePermission", |input: &RemovePermissionInput, _| resource_of(&input.topic_arn));

pub(crate) async fn remove_permission(
    sns: Arc<Sns>,
    _context: Context,
    input: RemovePermissionInput,
) -> Result<Unit, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    change_topic(&sns, &id, |topic| {
        let policy = topic.attributes.effective_policy(&id);
        topic.attributes.policy = permissions::removed(&policy, &input.label)?;
        Ok(Unit)
    })
    .await
}
