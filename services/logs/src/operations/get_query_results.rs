//! `GetQueryResults`: how a query is going, and what it found.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    GetQueryResults, GetQueryResultsRequest, GetQueryResultsResponse, QueryLanguage, QueryStatistics,
    ResultField,
};
use apus_schema::ServiceError;

use crate::Logs;

pub(crate) const ACCESS: Access<GetQueryResults> = Access::on_all("logs:GetQueryResults");

pub(crate) async fn get_query_results(
    logs: Arc<Logs>,
    context: Context,
    input: GetQueryResultsRequest,
) -> Result<GetQueryResultsResponse, ServiceError> {
    let caller = &context.caller;
    let told = logs.queries.find(caller.account, &caller.region, &input.query_id)?;
    let field = |(field, value): &(String, String)| ResultField {
        field: Some(field.clone()),
        value: Some(value.clone()),
    };
    let results: Vec<_> = told.rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>()).collect();
    Ok(GetQueryResultsResponse {
        query_language: Some(QueryLanguage::Cwli),
        statistics: Some(QueryStatistics {
            records_matched: Some(told.matched as f64),
            records_scanned: Some(told.scanned as f64),
            bytes_scanned: Some(told.bytes as f64),
            estimated_records_skipped: Some(0.0),
            estimated_bytes_skipped: Some(0.0),
            log_groups_scanned: Some(told.groups.len() as f64),
            ..QueryStatistics::default()
        }),
        results: Some(results),
        status: Some(told.status),
        ..GetQueryResultsResponse::default()
    })
}
