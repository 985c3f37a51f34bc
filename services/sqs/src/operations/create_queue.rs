//! `CreateQueue`: makes a queue, or finds the one that is there with the same attributes.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_sqs::{CreateQueue, CreateQueueRequest, CreateQueueResult};
use apus_schema::ServiceError;

use crate::queue::Command;
use crate::queue_id::{QueueId, QueueName};
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
    let given = input.attributes.unwrap_or_default();
    let wants_fifo = given.get("FifoQueue").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let invalid = if wants_fifo { errors::invalid_fifo_name } else { errors::invalid_queue_name };
    let name: QueueName = input.queue_name.parse().map_err(|_| invalid())?;
    if name.is_fifo() != wants_fifo && !given.contains_key("FifoQueue") || wants_fifo && !name.is_fifo() {
        return Err(invalid());
    }
    let caller = context.caller;
    let id = QueueId { account: caller.account, region: caller.region, name };
    sqs.check_redrive(&id, &given).await?;
    let tags = input.tags.unwrap_or_default();
    let command = Command::Create { number: sqs.env.random_u64(), given, tags };
    sqs.lanes.command(id.clone(), command).await?;
    Ok(CreateQueueResult { queue_url: Some(id.url(&context.origin.base_url)) })
}
