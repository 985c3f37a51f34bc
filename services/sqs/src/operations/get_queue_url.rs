//! `GetQueueUrl`: the URL of a queue by its name.

use std::sync::Arc;

use apus_kernel::{Access, AccountId, Arn, Caller, Context};
use apus_model_sqs::{GetQueueUrl, GetQueueUrlRequest, GetQueueUrlResult};
use apus_schema::ServiceError;

use crate::queue_id::QueueId;
use crate::{Sqs, errors};

pub(crate) const ACCESS: Access<GetQueueUrl> =
    Access::new("sqs:GetQueueUrl", |input: &GetQueueUrlRequest, caller| {
        let account = owner(input, caller).unwrap_or(caller.account);
        vec![Arn::regional("sqs", &caller.region, account, input.queue_name.as_str()).into()]
    });

/// Whose queue is meant.
fn owner(input: &GetQueueUrlRequest, caller: &Caller) -> Option<AccountId> {
    match &input.queue_owner_aws_account_id {
        Some(account) => account.parse().ok(),
        None => Some(caller.account),
    }
}

pub(crate) async fn get_queue_url(
    sqs: Arc<Sqs>,
    context: Context,
    input: GetQueueUrlRequest,
) -> Result<GetQueueUrlResult, ServiceError> {
    let account = owner(&input, &context.caller).ok_or_else(errors::queue_does_not_exist)?;
    let name = input.queue_name.parse().map_err(|_| errors::queue_does_not_exist())?;
    let id = QueueId { account, region: context.caller.region, name };
    let _there = sqs.lanes.queue(&id).await?;
    Ok(GetQueueUrlResult { queue_url: Some(id.url(&context.origin.base_url)) })
}
