//! `DescribeSubscriptionFilters`: who has subscribed to a group, by name and in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    DescribeSubscriptionFilters, DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse,
    Distribution, SubscriptionFilter,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::names::{GroupId, group_resource};

const PAGE_MAX: usize = 50;

pub(crate) const ACCESS: Access<DescribeSubscriptionFilters> =
    Access::new("logs:DescribeSubscriptionFilters", |input: &DescribeSubscriptionFiltersRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn describe_subscription_filters(
    logs: Arc<Logs>,
    context: Context,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, ServiceError> {
    let group = input.log_group_name;
    let record = logs.group(&GroupId::of(&context.caller, &group)).await?;
    let prefix = input.filter_name_prefix.unwrap_or_default();
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let mut found: Vec<_> = record
        .subscriptions
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        // A page's token is the name that the page before it ended with.
        .filter(|(name, _)| input.next_token.as_ref().is_none_or(|after| name > after))
        .take(limit + 1)
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|(name, _)| name.clone());
    let shown = found.into_iter().map(|(name, filter)| SubscriptionFilter {
        filter_name: Some(name),
        log_group_name: Some(group.clone()),
        filter_pattern: Some(filter.pattern),
        destination_arn: Some(filter.destination),
        distribution: Some(
            filter.distribution.as_deref().map_or(Distribution::ByLogStream, Distribution::from),
        ),
        apply_on_transformed_logs: Some(false),
        creation_time: Some(filter.created_at_ms),
        ..SubscriptionFilter::default()
    });
    Ok(DescribeSubscriptionFiltersResponse { subscription_filters: Some(shown.collect()), next_token })
}
