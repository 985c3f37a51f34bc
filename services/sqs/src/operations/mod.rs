//! One operation each: read the input, ask the rules and the lane, shape the answer.

pub(crate) mod create_queue;
pub(crate) mod delete_message;
pub(crate) mod get_queue_url;
pub(crate) mod list_queues;
pub(crate) mod receive_message;
pub(crate) mod send_message;

use apus_kernel::{Caller, Resource};
use apus_schema::ServiceError;

use crate::errors;
use crate::queue::QueueId;

/// The queue that a URL means.
fn queue_of(url: &str, caller: &Caller) -> Result<QueueId, ServiceError> {
    QueueId::from_url(url, &caller.region).map_err(|_| errors::queue_does_not_exist())
}

/// The resource that a URL means; of a URL that means none, no policy need say anything: the operation refuses it.
fn resource_of(url: &str, caller: &Caller) -> Vec<Resource> {
    QueueId::from_url(url, &caller.region).map(|id| id.arn().into()).into_iter().collect()
}
