//! A mapping as answers show it.

use apus_model_lambda::{
    EventSourceMappingConfiguration, Filter, FilterCriteria, FunctionResponseType, ScalingConfig,
};
use apus_time::Timestamp;

use super::id::MappingId;
use crate::store::mapping::MappingRecord;

/// The reason of every change of state: they all follow a call.
const REASON: &str = "USER_INITIATED";

/// The configuration, with how the last batch ended if anything is to be said of it.
pub(crate) fn configuration(
    id: &MappingId,
    record: &MappingRecord,
    last_result: Option<String>,
) -> EventSourceMappingConfiguration {
    let criteria = |patterns: &Vec<String>| {
        let filters = patterns.iter().map(|text| Filter { pattern: Some(text.clone()) });
        FilterCriteria { filters: Some(filters.collect()) }
    };
    let reports = record.reports_failures.then_some(FunctionResponseType::ReportBatchItemFailures);
    EventSourceMappingConfiguration {
        uuid: Some(id.uuid.clone()),
        batch_size: Some(record.batch_size as i32),
        maximum_batching_window_in_seconds: Some(record.window_secs as i32),
        event_source_arn: Some(record.source.clone()),
        filter_criteria: record.filters.as_ref().map(criteria),
        scaling_config: record
            .concurrency_max
            .map(|bound| ScalingConfig { maximum_concurrency: Some(bound as i32) }),
        function_arn: Some(record.function(id).arn().to_string()),
        last_modified: Some(Timestamp::from_micros(record.modified_at_micros)),
        last_processing_result: last_result,
        state: Some(record.state.clone()),
        state_transition_reason: Some(REASON.to_owned()),
        function_response_types: Some(reports.into_iter().collect()),
        event_source_mapping_arn: Some(id.arn().to_string()),
        ..EventSourceMappingConfiguration::default()
    }
}
