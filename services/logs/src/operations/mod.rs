//! One operation each.

pub(crate) mod create_log_group;
pub(crate) mod create_log_stream;
pub(crate) mod delete_log_group;
pub(crate) mod delete_log_stream;
pub(crate) mod delete_metric_filter;
pub(crate) mod delete_retention_policy;
pub(crate) mod delete_subscription_filter;
pub(crate) mod describe_log_groups;
pub(crate) mod describe_log_streams;
pub(crate) mod describe_metric_filters;
pub(crate) mod describe_queries;
pub(crate) mod describe_subscription_filters;
pub(crate) mod filter_log_events;
pub(crate) mod get_log_events;
pub(crate) mod get_log_record;
pub(crate) mod get_query_results;
pub(crate) mod list_tags_for_resource;
pub(crate) mod list_tags_log_group;
pub(crate) mod put_log_events;
pub(crate) mod put_metric_filter;
pub(crate) mod put_retention_policy;
pub(crate) mod put_subscription_filter;
pub(crate) mod start_live_tail;
pub(crate) mod start_query;
pub(crate) mod stop_query;
pub(crate) mod tag_log_group;
pub(crate) mod tag_resource;
pub(crate) mod test_metric_filter;
pub(crate) mod untag_log_group;
pub(crate) mod untag_resource;

use apus_kernel::Caller;

use crate::errors::Refusal;
use crate::names::GroupId;

/// The caller's group that a resource name to be tagged means.
fn tagged(caller: &Caller, arn: &str) -> Result<GroupId, Refusal> {
    let id = GroupId::from_arn(arn)
        .ok_or_else(|| Refusal::parameter("The specified resource ARN is not valid."))?;
    if id.account == caller.account && id.region == caller.region { Ok(id) } else { Err(Refusal::NoGroup) }
}
