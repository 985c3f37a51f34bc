//! `DescribeQueries`: the queries of an account, the newest first, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    DescribeQueries, DescribeQueriesRequest, DescribeQueriesResponse, QueryInfo, QueryLanguage,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::invalid_token;

const PAGE_MAX: usize = 1_000;

pub(crate) const ACCESS: Access<DescribeQueries> = Access::on_all("logs:DescribeQueries");

pub(crate) async fn describe_queries(
    logs: Arc<Logs>,
    context: Context,
    input: DescribeQueriesRequest,
) -> Result<DescribeQueriesResponse, ServiceError> {
    let caller = &context.caller;
    let mut found = logs.queries.list(caller.account, &caller.region);
    found.retain(|told| {
        input.log_group_name.as_ref().is_none_or(|name| told.groups.contains(name))
            && input.status.as_ref().is_none_or(|status| told.status == *status)
            && input.query_language.as_ref().is_none_or(|language| *language == QueryLanguage::Cwli)
    });
    // A page's token is the query that the page before it ended with.
    if let Some(token) = &input.next_token {
        let at = found.iter().position(|told| told.id == *token).ok_or_else(invalid_token)?;
        found.drain(..=at);
    }
    let limit = input.max_results.map_or(PAGE_MAX, |limit| limit as usize);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|told| told.id.clone());
    let queries = found.into_iter().map(|told| QueryInfo {
        query_language: Some(QueryLanguage::Cwli),
        query_id: Some(told.id),
        query_string: Some(told.text),
        status: Some(told.status),
        create_time: Some(told.created_at.as_millis()),
        log_group_name: told.groups.into_iter().next(),
        query_duration: told.ended_at.map(|ended| ended.since(told.created_at).as_millis() as i64),
        bytes_scanned: Some(told.bytes as f64),
        ..QueryInfo::default()
    });
    Ok(DescribeQueriesResponse { queries: Some(queries.collect()), next_token })
}
