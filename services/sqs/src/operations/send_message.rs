//! `SendMessage`: acknowledged once it is on disk.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sqs::{SendMessage, SendMessageRequest, SendMessageResult};
use apus_schema::ServiceError;

use super::{queue_of, resource_of};
use crate::outgoing::Outgoing;
use crate::{Sqs, sequence};

pub(crate) const ACCESS: Access<SendMessage> =
    Access::new("sqs:SendMessage", |input: &SendMessageRequest, caller| {
        resource_of(&input.queue_url, caller)
    });

pub(crate) async fn send_message(
    sqs: Arc<Sqs>,
    context: Context,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    let id = queue_of(&input.queue_url, &context.caller)?;
    let queue = sqs.lanes.queue(&id).await?;
    let sender = context.caller.principal.user_id();
    let outgoing = Outgoing::from(input);
    let trace = context.origin.trace.as_deref();
    let (record, digests) =
        outgoing.for_queue(&queue.attributes, sqs.env.now(), &sender, trace, sqs.env.uuid_v4())?;
    let sent = sqs.lanes.send(id, vec![record]).await?.pop();
    let sent = sent.ok_or_else(|| ServiceError::internal("a message was sent and not answered"))?;
    Ok(SendMessageResult {
        md5_of_message_body: Some(digests.body),
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system_attributes,
        message_id: Some(sent.message_id),
        sequence_number: queue.attributes.fifo.is_some().then(|| sequence::number(sent.position)),
    })
}
