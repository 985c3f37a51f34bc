//! SQS: standard queues. Purpose, key layout, invariants and deviations stand in the README.
//!
//! [`service`] is the registration table: read it first.

mod errors;
mod message;
mod operations;
mod queue;
mod receipt;
mod store;
mod traffic;

use apus_env::Env;
use apus_kernel::{Lease, Service};
use apus_model_sqs::SERVICE;
use apus_store::Store;

use crate::errors::JobError;
use crate::operations::{
    create_queue, delete_message, get_queue_url, list_queues, receive_message, send_message,
};
use crate::queue::QueueId;
use crate::store::QueueRecord;
use crate::traffic::Traffic;

/// What every operation is passed.
pub(crate) struct Sqs {
    env: Env,
    store: Store,
    lease: Lease,
    traffic: Traffic,
}

impl Sqs {
    /// The queue; its absence is the caller's mistake.
    pub(crate) async fn queue(&self, id: &QueueId) -> Result<QueueRecord, JobError> {
        let found = self.store.read(|tx| async move { store::queue(&tx, id).await }).await?;
        found.ok_or(JobError::NoQueue)
    }
}

/// The service on that store, owning its queues under that lease.
pub fn service(env: Env, store: Store, lease: Lease) -> Service {
    let traffic = Traffic::new(env.clone(), store.clone(), lease.clone());
    Service::of(&SERVICE, Sqs { env, store, lease, traffic })
        .operation(create_queue::ACCESS, create_queue::create_queue)
        .operation(delete_message::ACCESS, delete_message::delete_message)
        .operation(get_queue_url::ACCESS, get_queue_url::get_queue_url)
        .operation(list_queues::ACCESS, list_queues::list_queues)
        .operation(receive_message::ACCESS, receive_message::receive_message)
        .operation(send_message::ACCESS, send_message::send_message)
        .build()
}
