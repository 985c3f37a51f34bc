//! CloudWatch Logs: log groups and streams, and what is asked of them. Purpose, key layout, invariants and deviations
//! stand in the README.
//!
//! [`service`] is the registration table: read it first.

mod batch;
mod errors;
mod lane;
mod names;
mod operations;
mod pattern;
mod position;
mod query;
mod retention;
mod sequence;
mod store;
mod subscription;
mod tags;
mod tail;
mod workers;

use std::future::Future;
use std::sync::Arc;

use apus_env::Env;
use apus_kernel::{Lease, Outbox, Service};
use apus_model_logs::SERVICE;
use apus_store::{Store, Tx};

use crate::errors::Refusal;
use crate::lane::GroupLanes;
use crate::names::GroupId;
use crate::operations::{
    create_log_group, create_log_stream, delete_log_group, delete_log_stream, delete_metric_filter,
    delete_retention_policy, delete_subscription_filter, describe_log_groups, describe_log_streams,
    describe_metric_filters, describe_queries, describe_subscription_filters, filter_log_events,
    get_log_events, get_log_record, get_query_results, list_tags_for_resource, list_tags_log_group,
    put_log_events, put_metric_filter, put_retention_policy, put_subscription_filter, start_live_tail,
    start_query, stop_query, tag_log_group, tag_resource, test_metric_filter, untag_log_group,
    untag_resource,
};
use crate::query::running::Queries;
use crate::store::GroupRecord;
use crate::tail::Hub;

/// What every operation is passed.
pub(crate) struct Logs {
    env: Env,
    store: Store,
    lease: Lease,
    lanes: GroupLanes,
    hub: Arc<Hub>,
    queries: Queries,
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
        self.store.read(|tx| async move { store::group(&tx, id).await?.ok_or(Refusal::NoGroup) }).await
    }
}

/// The service on that store, owning its groups under that lease. What is subscribed to leaves by the outbox.
pub fn service(env: Env, store: Store, lease: Lease, outbox: Outbox) -> Service {
    let hub = Arc::new(Hub::default());
    let lanes = GroupLanes::new(env.clone(), store.clone(), lease.clone(), outbox, Arc::clone(&hub));
    Service::of(&SERVICE, Logs { env, store, lease, lanes, hub, queries: Queries::default() })
        .operation(create_log_group::ACCESS, create_log_group::create_log_group)
        .operation(create_log_stream::ACCESS, create_log_stream::create_log_stream)
        .operation(delete_log_group::ACCESS, delete_log_group::delete_log_group)
        .operation(delete_log_stream::ACCESS, delete_log_stream::delete_log_stream)
        .operation(delete_metric_filter::ACCESS, delete_metric_filter::delete_metric_filter)
        .operation(delete_retention_policy::ACCESS, delete_retention_policy::delete_retention_policy)
        .operation(delete_subscription_filter::ACCESS, delete_subscription_filter::delete_subscription_filter)
        .operation(describe_log_groups::ACCESS, describe_log_groups::describe_log_groups)
        .operation(describe_log_streams::ACCESS, describe_log_streams::describe_log_streams)
        .operation(describe_metric_filters::ACCESS, describe_metric_filters::describe_metric_filters)
        .operation(describe_queries::ACCESS, describe_queries::describe_queries)
        .operation(
            describe_subscription_filters::ACCESS,
            describe_subscription_filters::describe_subscription_filters,
        )
        .operation(filter_log_events::ACCESS, filter_log_events::filter_log_events)
        .operation(get_log_events::ACCESS, get_log_events::get_log_events)
        .operation(get_log_record::ACCESS, get_log_record::get_log_record)
        .operation(get_query_results::ACCESS, get_query_results::get_query_results)
        .operation(list_tags_for_resource::ACCESS, list_tags_for_resource::list_tags_for_resource)
        .operation(list_tags_log_group::ACCESS, list_tags_log_group::list_tags_log_group)
        .operation(put_log_events::ACCESS, put_log_events::put_log_events)
        .operation(put_metric_filter::ACCESS, put_metric_filter::put_metric_filter)
        .operation(put_retention_policy::ACCESS, put_retention_policy::put_retention_policy)
        .operation(put_subscription_filter::ACCESS, put_subscription_filter::put_subscription_filter)
        .operation(start_live_tail::ACCESS, start_live_tail::start_live_tail)
        .operation(start_query::ACCESS, start_query::start_query)
        .operation(stop_query::ACCESS, stop_query::stop_query)
        .operation(tag_log_group::ACCESS, tag_log_group::tag_log_group)
        .operation(tag_resource::ACCESS, tag_resource::tag_resource)
        .operation(test_metric_filter::ACCESS, test_metric_filter::test_metric_filter)
        .operation(untag_log_group::ACCESS, untag_log_group::untag_log_group)
        .operation(untag_resource::ACCESS, untag_resource::untag_resource)
        .step(subscription::STEP, subscription::deliver)
        .worker("logs schedule", workers::keep_schedule)
        .build()
}
