//! `AddPermission`: a statement of the topic's policy, by its label.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{AddPermission, AddPermissionInput};
use apus_schema::{ServiceError, Unit};

use super::{change_topic, resource_of};
use crate::topic::TopicId;
use crate::{Sns, permissions};

pub(crate) const ACCESS: Access<AddPermission> =
    Access::new("sns:AddPermission", |input: &AddPermissionInput, _| resource_of(&input.topic_arn));

pub(crate) async fn add_permission(
    sns: Arc<Sns>,
    _context: Context,
    input: AddPermissionInput,
) -> Result<Unit, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    change_topic(&sns, &id, |topic| {
        let policy = topic.attributes.effective_policy(&id);
        let (accounts, actions) = (&input.aws_account_id, &input.action_name);
        topic.attributes.policy = Some(permissions::added(&policy, &id, &input.label, accounts, actions)?);
        Ok(Unit)
    })
    .await
}
