//! `CreateQueue`: makes a queue, or finds the one that is there with the same attributes.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_sqs::{CreateQueue, CreateQueueRequest, CreateQueueResult};
use apus_schema::ServiceError;

use crate::queue::{Attributes, QueueId, QueueName};
use crate::store::{self, QueueRecord};
use crate::{Sqs, errors};

pub(crate) const ACCESS: Access<CreateQueue> =
    Access::new("sqs:CreateQueue", |input: &CreateQueueRequest, caller| {
        vec![Arn::regional("sqs", &caller.region, caller.account, input.queue_name.as_str()).into()]
    });

pub(crate) async fn create_queue(
    sqs: Arc<Sqs>,
    context: Context,
    input: CreateQueueRequest,
) -> Result<CreateQueueResult, ServiceError> {
    let name: QueueName = input.queue_name.parse().map_err(|_| errors::invalid_queue_name())?;
    if name.is_fifo() {
        return Err(errors::not_supported("FIFO queues"));
    }
    if input.tags.is_some_and(|tags| !tags.is_empty()) {
        return Err(errors::not_supported("queue tags"));
    }
    let attributes = Attributes::from_request(&input.attributes.unwrap_or_default())?;
    let caller = context.caller;
    let id = QueueId { account: caller.account, region: caller.region, name };
    let number = sqs.env.random_u64();
    let found = sqs
        .store
        .transact(|tx| {
            let (sqs, id, attributes) = (Arc::clone(&sqs), id.clone(), attributes.clone());
            async move {
                sqs.lease.fence(&tx).await?;
                let found = store::queue(&tx, &id).await?;
                if found.is_none() {
                    let created_at_micros = tx.now().as_micros();
                    store::put_queue(&tx, &id, &QueueRecord { number, attributes, created_at_micros });
                }
                Ok::<_, errors::JobError>(found)
            }
        })
        .await?;
    match found.and_then(|found| found.attributes.difference(&attributes)) {
        Some(attribute) => Err(errors::queue_name_exists(attribute)),
        None => Ok(CreateQueueResult { queue_url: Some(id.url(&context.origin.base_url)) }),
    }
}
