//! `DescribeLogGroups`: the groups of an account in a region, by name, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    DescribeLogGroups, DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, group_resource};
use crate::store::{self, Group, GroupRecord};

const PAGE_MAX: usize = 50;
/// Groups that are read at once where not all of them are wanted.
const READ_AT_ONCE: usize = 200;

pub(crate) const ACCESS: Access<DescribeLogGroups> =
    Access::new("logs:DescribeLogGroups", |_: &DescribeLogGroupsRequest, caller| group_resource(caller, ""));

pub(crate) async fn describe_log_groups(
    logs: Arc<Logs>,
    context: Context,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    if input.include_linked_accounts == Some(true) || input.account_identifiers.is_some() {
        return Err(not_supported("accountIdentifiers and includeLinkedAccounts").into());
    }
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(Refusal::parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        )
        .into());
    }
    let caller = &context.caller;
    let mut identified = None;
    if let Some(identifiers) = &input.log_group_identifiers {
        if input.log_group_name_prefix.is_some() || input.log_group_name_pattern.is_some() {
            return Err(Refusal::parameter("logGroupIdentifiers cannot be combined with a name.").into());
        }
        let ids = identifiers.iter().map(|text| GroupId::identified(caller, text));
        identified = Some(ids.collect::<Result<Vec<_>, _>>()?);
    }
    let limit = input.limit.map_or(PAGE_MAX, |limit| limit as usize);
    let wanted = |name: &str, record: &GroupRecord| {
        let class = record.class.as_deref().unwrap_or(LogGroupClass::Standard.as_str());
        input.log_group_name_pattern.as_deref().is_none_or(|pattern| name.contains(pattern))
            && input.log_group_class.as_ref().is_none_or(|wanted| wanted.as_str() == class)
            && identified.as_ref().is_none_or(|ids| ids.iter().any(|id| id.name == name))
    };
    let prefix = input.log_group_name_prefix.clone().unwrap_or_default();
    let (found, more) = logs
        .store
        .read(|tx| {
            let mut after = input.next_token.clone();
            async move {
                let mut found = Vec::new();
                loop {
                    let page = store::list_groups(
                        &tx,
                        caller.account,
                        &caller.region,
                        &prefix,
                        after.as_deref(),
                        READ_AT_ONCE,
                    );
                    let page = page.await?;
                    let last = page.len() < READ_AT_ONCE;
                    after = page.last().map(|(name, _)| name.clone());
                    for (name, record) in page {
                        if !wanted(&name, &record) {
                            continue;
                        }
                        if found.len() == limit {
                            return Ok::<_, Refusal>((found, true));
                        }
                        let id = GroupId::of(caller, name);
                        let bytes = Group::of(&id, &record).tail(&tx).await?.bytes;
                        found.push(describe(&id, record, bytes));
                    }
                    if last {
                        return Ok((found, false));
                    }
                }
            }
        })
        .await?;
    let next_token = if more { found.last().and_then(|group| group.log_group_name.clone()) } else { None };
    Ok(DescribeLogGroupsResponse { log_groups: Some(found), next_token })
}

fn describe(id: &GroupId, record: GroupRecord, bytes: u64) -> LogGroup {
    let class = record.class.as_deref().map_or(LogGroupClass::Standard, LogGroupClass::from);
    LogGroup {
        log_group_name: Some(id.name.clone()),
        creation_time: Some(record.created_at_ms),
        retention_in_days: record.retention_days,
        metric_filter_count: Some(record.metric_filters.map_or(0, |filters| filters.len() as i32)),
        arn: Some(id.arn_of_all()),
        stored_bytes: Some(bytes as i64),
        log_group_class: Some(class),
        log_group_arn: Some(id.arn().to_string()),
        ..LogGroup::default()
    }
}
