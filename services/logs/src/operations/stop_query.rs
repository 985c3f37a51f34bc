//! `StopQuery`: ends a query that runs.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{StopQuery, StopQueryRequest, StopQueryResponse};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::Refusal;

pub(crate) const ACCESS: Access<StopQuery> = Access::on_all("logs:StopQuery");

pub(crate) async fn stop_query(
    logs: Arc<Logs>,
    context: Context,
    input: StopQueryRequest,
) -> Result<StopQueryResponse, ServiceError> {
    let caller = &context.caller;
    let told = logs.queries.find(caller.account, &caller.region, &input.query_id)?;
    if !logs.queries.stop(&told.id) {
        let message =
            format!("Query with ID [{}] has already ended with a terminal status [{}]", told.id, told.status);
        return Err(Refusal::Parameter(message).into());
    }
    Ok(StopQueryResponse { success: Some(true) })
}
