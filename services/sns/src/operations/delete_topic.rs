//! `DeleteTopic`: deletes a topic with its subscriptions; one that is not there is deleted already.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{DeleteTopic, DeleteTopicInput};
use apus_schema::{ServiceError, Unit};

use super::resource_of;
use crate::Sns;
use crate::errors::Failure;
use crate::store::Place;
use crate::topic::TopicId;

pub(crate) const ACCESS: Access<DeleteTopic> =
    Access::new("sns:DeleteTopic", |input: &DeleteTopicInput, _| resource_of(&input.topic_arn));

pub(crate) async fn delete_topic(
    sns: Arc<Sns>,
    _context: Context,
    input: DeleteTopicInput,
) -> Result<Unit, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let place = Place::of(&id);
    let (sns, place, id, name) = (&sns, &place, &id, id.name.as_str());
    let deleted = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        if let Some(topic) = place.topic(&tx, name).await? {
            place.delete_topic(&tx, name, topic.number);
            place.count_topics(&tx, &id.name, -1);
        }
        Ok::<_, Failure>(())
    });
    deleted.await?;
    Ok(Unit)
}
