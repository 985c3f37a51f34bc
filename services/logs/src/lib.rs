//! CloudWatch Logs: log groups and streams, and what is asked of them. Purpose, key layout, invariants and deviations
//! stand in the README.
//!
//! [`service`] is the registration table: read it first.

mod batch;
mod errors;
mod lane;
mod names;
mod operations;
mod position;
mod retention;
mod sequence;
mod store;
mod tags;
mod tail;
mod workers;

use std::future::Future;
use std::sync::Arc;

use apus_env::Env;
use apus_kernel::{Lease, Service};
use apus_model_logs::SERVICE;
use apus_store::{Store, Tx};

use crate::errors::Refusal;
use crate::lane::GroupLanes;
use crate::names::GroupId;
use crate::operations::{
    create_log_group, create_log_stream, delete_log_group, delete_log_stream, delete_retention_policy,
    describe_log_groups, describe_log_streams, get_log_events, list_tags_for_resource, list_tags_log_group,
    put_log_events, put_retention_policy, tag_log_group, tag_resource, untag_log_group, untag_resource,
};
use crate::store::GroupRecord;
use crate::tail::Hub;

/// What every operation is passed.
pub(crate) struct Logs {
    env: Env,
    store: Store,
    lease: Lease,
    lanes: GroupLanes,
    hub: Arc<Hub>,
}

impl Logs {
    /// One transaction under the lease.
    async fn change<T, F, Fut>(&self, body: F) -> Result<T, Refusal>
    where
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Refusal>> + Send,
        T: Send,
    {
        let body = &body;
        self.store
            .transact(|tx| async move {
                self.lease.fence(&tx).await?;
                body(tx).await
            })
            .await
    }

    /// Changes the record of a group that is there.
    async fn change_group(
        &self,
        id: &GroupId,
        change: impl Fn(&Tx, &mut GroupRecord) -> Result<(), Refusal> + Send + Sync,
    ) -> Result<(), Refusal> {
        let change = &change;
        self.change(|tx| async move {
            let mut record = store::group(&tx, id).await?.ok_or(Refusal::NoGroup)?;
            change(&tx, &mut record)?;
            store::put_group(&tx, id, &record);
            Ok(())
        })
        .await
    }

    /// The group's record.
    async fn group(&self, id: &GroupId) -> Result<GroupRecord, Refusal> {
        self.store
            .read(|tx| async move { store::group(&tx, id).await?.ok_or(Refusal::NoGroup) })
            .await
    }
}

/// The service on that store, owning its groups under that lease.
pub fn service(env: Env, store: Store, lease: Lease) -> Service {
    let hub = Arc::new(Hub::default());
    let lanes = GroupLanes::new(env.clone(), store.clone(), lease.clone(), Arc::clone(&hub));
    Service::of(&SERVICE, Logs { env, store, lease, lanes, hub })
        .operation(create_log_group::ACCESS, create_log_group::create_log_group)
        .operation(create_log_stream::ACCESS, create_log_stream::create_log_stream)
        .operation(delete_log_group::ACCESS, delete_log_group::delete_log_group)
        .operation(delete_log_stream::ACCESS, delete_log_stream::delete_log_stream)
        .operation(delete_retention_policy::ACCESS, delete_retention_policy::delete_retention_policy)
        .operation(describe_log_groups::ACCESS, describe_log_groups::describe_log_groups)
        .operation(describe_log_streams::ACCESS, describe_log_streams::describe_log_streams)
        .operation(get_log_events::ACCESS, get_log_events::get_log_events)
        .operation(list_tags_for_resource::ACCESS, list_tags_for_resource::list_tags_for_resource)
        .operation(list_tags_log_group::ACCESS, list_tags_log_group::list_tags_log_group)
        .operation(put_log_events::ACCESS, put_log_events::put_log_events)
        .operation(put_retention_policy::ACCESS, put_retention_policy::put_retention_policy)
        .operation(tag_log_group::ACCESS, tag_log_group::tag_log_group)
        .operation(tag_resource::ACCESS, tag_resource::tag_resource)
        .operation(untag_log_group::ACCESS, untag_log_group::untag_log_group)
        .operation(untag_resource::ACCESS, untag_resource::untag_resource)
        .worker("logs schedule", workers::keep_schedule)
        .build()
}
