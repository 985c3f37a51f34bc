//! `DescribeMetricFilters`: the metric filters of a group, or those of one metric, by name and in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    DescribeMetricFilters, DescribeMetricFiltersRequest, DescribeMetricFiltersResponse, MetricFilter,
    MetricTransformation, StandardUnit,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::{Refusal, invalid_token};
use crate::names::{GroupId, group_resource};
use crate::store::{self, MetricFilterRecord};

const PAGE_MAX: usize = 50;
/// Groups that are looked at in one call.
const GROUPS_MAX: usize = 10_000;

pub(crate) const ACCESS: Access<DescribeMetricFilters> =
    Access::new("logs:DescribeMetricFilters", |input: &DescribeMetricFiltersRequest, caller| {
        group_resource(caller, input.log_group_name.as_deref().unwrap_or_default())
    });

pub(crate) async fn describe_metric_filters(
    logs: Arc<Logs>,
    context: Context,
    input: DescribeMetricFiltersRequest,
) -> Result<DescribeMetricFiltersResponse, ServiceError> {
    if input.metric_name.is_some() != input.metric_namespace.is_some() {
        return Err(Refusal::parameter("metricName and metricNamespace go together.").into());
    }
    let caller = &context.caller;
    let groups = if let Some(name) = &input.log_group_name {
        let record = logs.group(&GroupId::of(caller, name)).await?;
        vec![(name.clone(), record)]
    } else {
        let (account, region) = (caller.account, &caller.region);
        let listed = logs.store.read(|tx| async move {
            Ok::<_, Refusal>(store::list_groups(&tx, account, region, "", None, GROUPS_MAX).await?)
        });
        listed.await?
    };
    // A page's token is the place that the page before it ended with: neither name has a colon.
    let after = input.next_token.as_deref().map(|token| token.split_once(':').ok_or_else(invalid_token));
    let after = after.transpose()?;
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
    let of_metric = |filter: &MetricFilterRecord| {
        input.metric_name.as_ref().is_none_or(|name| *name == filter.metric_name)
            && input.metric_namespace.as_ref().is_none_or(|namespace| *namespace == filter.namespace)
    };
    let mut found: Vec<_> = groups
        .into_iter()
        .flat_map(|(group, record)| {
            let filters = record.metric_filters.unwrap_or_default().into_iter();
            filters.map(move |(name, filter)| (group.clone(), name, filter))
        })
        .filter(|(_, name, filter)| name.starts_with(prefix) && of_metric(filter))
        .filter(|(group, name, _)| after.is_none_or(|after| (group.as_str(), name.as_str()) > after))
        .take(limit + 1)
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|(group, name, _)| format!("{group}:{name}"));
    let metric_filters = Some(found.into_iter().map(describe).collect());
    Ok(DescribeMetricFiltersResponse { metric_filters, next_token })
}

fn describe((group, name, filter): (String, String, MetricFilterRecord)) -> MetricFilter {
    MetricFilter {
        filter_name: Some(name),
        filter_pattern: Some(filter.pattern),
        metric_transformations: Some(vec![MetricTransformation {
            metric_name: filter.metric_name,
            metric_namespace: filter.namespace,
            metric_value: filter.value,
            default_value: filter.default_value,
            dimensions: filter.dimensions,
            unit: filter.unit.as_deref().map(StandardUnit::from),
        }]),
        creation_time: Some(filter.created_at_ms),
        log_group_name: Some(group),
        apply_on_transformed_logs: Some(false),
        ..MetricFilter::default()
    }
}
