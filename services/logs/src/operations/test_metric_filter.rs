//! `TestMetricFilter`: which messages a pattern means, and what it finds in them.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{
    MetricFilterMatchRecord, TestMetricFilter, TestMetricFilterRequest, TestMetricFilterResponse,
};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::Refusal;
use crate::pattern::Pattern;

pub(crate) const ACCESS: Access<TestMetricFilter> = Access::on_all("logs:TestMetricFilter");

pub(crate) async fn test_metric_filter(
    _logs: Arc<Logs>,
    _context: Context,
    input: TestMetricFilterRequest,
) -> Result<TestMetricFilterResponse, ServiceError> {
    let pattern =
        Pattern::parse(&input.filter_pattern).map_err(|error| Refusal::parameter(error.to_string()))?;
    let matches = (1..).zip(input.log_event_messages).filter_map(|(number, message)| {
        let extracted_values = Some(pattern.extract(&message)?);
        Some(MetricFilterMatchRecord {
            event_number: Some(number),
            event_message: Some(message),
            extracted_values,
        })
    });
    Ok(TestMetricFilterResponse { matches: Some(matches.collect()) })
}
