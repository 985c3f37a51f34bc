//! One operation each: read the input, ask the rules and the lane, shape the answer.

pub(crate) mod add_permission;
pub(crate) mod cancel_message_move_task;
pub(crate) mod change_message_visibility;
pub(crate) mod change_message_visibility_batch;
pub(crate) mod create_queue;
pub(crate) mod delete_message;
pub(crate) mod delete_message_batch;
pub(crate) mod delete_queue;
pub(crate) mod get_queue_attributes;
pub(crate) mod get_queue_url;
pub(crate) mod list_dead_letter_source_queues;
pub(crate) mod list_message_move_tasks;
pub(crate) mod list_queue_tags;
pub(crate) mod list_queues;
pub(crate) mod purge_queue;
pub(crate) mod receive_message;
pub(crate) mod remove_permission;
pub(crate) mod send_message;
pub(crate) mod send_message_batch;
pub(crate) mod set_queue_attributes;
pub(crate) mod start_message_move_task;
pub(crate) mod tag_queue;
pub(crate) mod untag_queue;

use apus_kernel::{Caller, Resource};
use apus_schema::ServiceError;

use crate::errors;
use crate::queue_id::QueueId;
use crate::receipt::Receipt;

/// The queue that a URL means.
fn queue_of(url: &str, caller: &Caller) -> Result<QueueId, ServiceError> {
    QueueId::from_url(url, caller.account, &caller.region).map_err(|error| errors::address(error, url))
}

/// The resource that a URL means; of a URL that means none, no policy need say anything: the operation refuses it.
fn resource_of(url: &str, caller: &Caller) -> Vec<Resource> {
    let id = QueueId::from_url(url, caller.account, &caller.region);
    id.map(|id| id.arn().into()).into_iter().collect()
}

/// The resource that a resource name means, if it is a queue's.
fn resource_of_arn(arn: &str) -> Vec<Resource> {
    QueueId::from_arn(arn).map(|id| id.arn().into()).into_iter().collect()
}

/// The queue of the caller's account and region that a resource name means.
fn own_queue_of_arn(arn: &str, parameter: &str, caller: &Caller) -> Result<QueueId, ServiceError> {
    QueueId::from_arn(arn)
        .filter(|id| id.account == caller.account && id.region == caller.region)
        .ok_or_else(|| errors::no_such_resource(parameter))
}

fn receipt_of(handle: &str) -> Result<Receipt, ServiceError> {
    Receipt::from_handle(handle).ok_or_else(|| errors::receipt_handle_is_invalid(handle))
}
