//! `CreateTopic`: makes a topic, or finds the one that is there with the same attributes and tags.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_sns::{CreateTopic, CreateTopicInput, CreateTopicResponse, errors as modelled};
use apus_schema::ServiceError;

use crate::Sns;
use crate::errors::{self, Failure, ParameterError};
use crate::store::{Place, TopicRecord};
use crate::tags::{self, Tags};
use crate::topic::{TopicAttributes, TopicId, TopicName};

/// The most standard topics of an account in a region, and the most FIFO topics.
const TOPICS_MAX: i64 = 100_000;
const FIFO_TOPICS_MAX: i64 = 1_000;

pub(crate) const ACCESS: Access<CreateTopic> =
    Access::new("sns:CreateTopic", |input: &CreateTopicInput, caller| {
        vec![Arn::regional("sns", &caller.region, caller.account, input.name.as_str()).into()]
    });

pub(crate) async fn create_topic(
    sns: Arc<Sns>,
    context: Context,
    input: CreateTopicInput,
) -> Result<CreateTopicResponse, ServiceError> {
    let name: TopicName = input.name.parse().map_err(|_| ParameterError::plain("Topic Name"))?;
    if input.data_protection_policy.is_some() {
        return Err(errors::not_supported("DataProtectionPolicy"));
    }
    let given = input.attributes.unwrap_or_default();
    let attributes = TopicAttributes::for_new(&name, &given).map_err(ParameterError::among_attributes)?;
    let tags = tags::added(&Tags::new(), input.tags.unwrap_or_default())?;
    if !tags.is_empty() {
        let id = TopicId {
            account: context.caller.account,
            region: context.caller.region.clone(),
            name: name.clone(),
        };
        context.platform().authorize(&context, "sns:TagResource", [id.arn().into()]).await?;
    }
    let caller = context.caller;
    let id = TopicId { account: caller.account, region: caller.region, name };
    let (place, number) = (Place::of(&id), sns.env.random_u64());
    let (place, id, attributes, tags, given) = (&place, &id, &attributes, &tags, &given);
    let sns = &sns;
    let made = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let name = id.name.as_str();
        let Some(own) = place.topic(&tx, name).await? else {
            let most = if id.name.is_fifo() { FIFO_TOPICS_MAX } else { TOPICS_MAX };
            if place.topics_like(&tx, &id.name).await? >= most {
                let full = format!("Topic quota of {most} exceeded for the account");
                return Err(modelled::topic_limit_exceeded_exception(full).into());
            }
            place.count_topics(&tx, &id.name, 1);
            let created_at_micros = tx.now().as_micros();
            let (attributes, tags) = (attributes.clone(), tags.clone());
            place.put_topic(&tx, name, &TopicRecord { number, attributes, tags, created_at_micros });
            return Ok(());
        };
        // Only what is asked for is compared.
        let mut asked = own.attributes.clone();
        for (attribute, value) in given.iter().filter(|(attribute, _)| *attribute != "FifoTopic") {
            asked.set(attribute, value)?;
        }
        if asked != own.attributes {
            return Err(ParameterError::because(
                "Attributes",
                "Topic already exists with different attributes",
            )
            .into());
        }
        if !tags.is_empty() && *tags != own.tags {
            return Err(ParameterError::because("Tags", "Topic already exists with different tags").into());
        }
        Ok::<_, Failure>(())
    });
    made.await?;
    Ok(CreateTopicResponse { topic_arn: Some(id.to_string()) })
}
