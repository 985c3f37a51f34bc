//! SQS: standard and FIFO queues. Purpose, key layout, invariants and deviations stand in the README.
//!
//! [`service`] is the registration table: read it first.

mod attributes;
mod batch;
mod digest;
mod errors;
mod lane;
mod message;
mod move_handle;
mod operations;
mod outgoing;
mod permissions;
mod queue;
mod queue_id;
mod receipt;
mod redrive;
mod sequence;
mod store;
mod tags;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_env::Env;
use apus_kernel::{AccessRequest, BoxFuture, Lease, Resource, ResourcePolicies, Service};
use apus_model_sqs::SERVICE;
use apus_schema::ServiceError;
use apus_store::Store;
use apus_store::fsck::Check;

use crate::errors::JobError;
use crate::lane::QueueLanes;
use crate::operations::{
    add_permission, cancel_message_move_task, change_message_visibility, change_message_visibility_batch,
    create_queue, delete_message, delete_message_batch, delete_queue, get_queue_attributes, get_queue_url,
    list_dead_letter_source_queues, list_message_move_tasks, list_queue_tags, list_queues, purge_queue,
    receive_message, remove_permission, send_message, send_message_batch, set_queue_attributes,
    start_message_move_task, tag_queue, untag_queue,
};
use crate::queue_id::QueueId;
use crate::redrive::RedrivePolicy;
use crate::store::Contradictions;

/// What every operation is passed.
pub(crate) struct Sqs {
    env: Env,
    store: Store,
    lease: Lease,
    lanes: QueueLanes,
}

impl Sqs {
    /// Checks the redrive policy among attributes that are to be set, against the queue that it names.
    async fn check_redrive(
        &self,
        id: &QueueId,
        given: &BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        let Some(text) = given.get("RedrivePolicy").filter(|text| !text.is_empty()) else { return Ok(()) };
        let policy = RedrivePolicy::parse(text)?;
        let target = match policy.target() {
            Some(target) => match self.lanes.queue(&target).await {
                Ok(queue) => Some(queue),
                Err(JobError::NoQueue) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        Ok(policy.check(id, target.as_ref().map(|queue| &queue.attributes))?)
    }
}

impl ResourcePolicies for Sqs {
    fn policy<'a>(
        &'a self,
        request: &'a AccessRequest<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, ServiceError>> {
        Box::pin(async move {
            let Resource::Arn(arn) = &request.resource else { return Ok(None) };
            let is_own = request.context.caller.principal.account() == Some(request.owner);
            if !is_own && permissions::is_owners(request.action) {
                return Ok(None);
            }
            let Some(id) = QueueId::named(arn) else { return Ok(None) };
            match self.lanes.queue(&id).await {
                Ok(queue) => Ok(queue.attributes.policy.as_deref().map(Arc::from)),
                Err(JobError::NoQueue) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// What of SQS `apus fsck` looks at: contradictions between rows, which no crash may leave behind.
pub fn check() -> impl Check {
    Contradictions
}

/// The service on that store, owning its queues under that lease.
pub fn service(env: Env, store: Store, lease: Lease) -> Service {
    let lanes = QueueLanes::new(env.clone(), store.clone(), lease.clone());
    Service::of(&SERVICE, Sqs { env, store, lease, lanes })
        .operation(add_permission::ACCESS, add_permission::add_permission)
        .operation(cancel_message_move_task::ACCESS, cancel_message_move_task::cancel_message_move_task)
        .operation(change_message_visibility::ACCESS, change_message_visibility::change_message_visibility)
        .operation(
            change_message_visibility_batch::ACCESS,
            change_message_visibility_batch::change_message_visibility_batch,
        )
        .operation(create_queue::ACCESS, create_queue::create_queue)
        .operation(delete_message::ACCESS, delete_message::delete_message)
        .operation(delete_message_batch::ACCESS, delete_message_batch::delete_message_batch)
        .operation(delete_queue::ACCESS, delete_queue::delete_queue)
        .operation(get_queue_attributes::ACCESS, get_queue_attributes::get_queue_attributes)
        .operation(get_queue_url::ACCESS, get_queue_url::get_queue_url)
        .operation(
            list_dead_letter_source_queues::ACCESS,
            list_dead_letter_source_queues::list_dead_letter_source_queues,
        )
        .operation(list_message_move_tasks::ACCESS, list_message_move_tasks::list_message_move_tasks)
        .operation(list_queue_tags::ACCESS, list_queue_tags::list_queue_tags)
        .operation(list_queues::ACCESS, list_queues::list_queues)
        .operation(purge_queue::ACCESS, purge_queue::purge_queue)
        .operation(receive_message::ACCESS, receive_message::receive_message)
        .operation(remove_permission::ACCESS, remove_permission::remove_permission)
        .operation(send_message::ACCESS, send_message::send_message)
        .operation(send_message_batch::ACCESS, send_message_batch::send_message_batch)
        .operation(set_queue_attributes::ACCESS, set_queue_attributes::set_queue_attributes)
        .operation(start_message_move_task::ACCESS, start_message_move_task::start_message_move_task)
        .operation(tag_queue::ACCESS, tag_queue::tag_queue)
        .operation(untag_queue::ACCESS, untag_queue::untag_queue)
        .resource_policies()
        .worker("sqs schedule", workers::keep_schedule)
        .build()
}
