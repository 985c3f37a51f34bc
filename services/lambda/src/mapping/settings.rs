//! What a mapping may be: a request on top of what was, held to the rules of its kind of source.

use apus_kernel::Arn;
use apus_model_lambda::{
    CreateEventSourceMappingRequest, FilterCriteria, FunctionResponseType, ScalingConfig,
    UpdateEventSourceMappingRequest,
};
use apus_schema::ServiceError;

use super::errors;
use super::filter::Criteria;
use super::flow::Limits;
use super::sqs::{self, SqsSource};
use crate::errors::not_supported;
use crate::mapping::batch;
use crate::store::mapping::MappingRecord;

/// `BatchSize` where none is given.
const BATCH_SIZE_DEFAULT: i32 = 10;
const BATCH_SIZE_MAX: i32 = 10_000;
/// The largest batch without a window, and of a FIFO queue.
const BATCH_SIZE_SMALL_MAX: i32 = sqs::MESSAGES_MAX as i32;
const WINDOW_SECS_MAX: i32 = 300;
const CONCURRENCY_MIN: i32 = 2;
const CONCURRENCY_MAX: i32 = 1_000;

/// The source that a request names. Kinds that Apus does not poll are refused by name.
pub(crate) fn source(input: &CreateEventSourceMappingRequest) -> Result<Arn, ServiceError> {
    if input.self_managed_event_source.is_some() {
        return Err(not_supported("event source mappings of self-managed Apache Kafka"));
    }
    let text = input.event_source_arn.as_deref().ok_or_else(errors::unknown_source)?;
    let arn: Arn = text.parse().map_err(|_| errors::unknown_source())?;
    let kind = match &*arn.service {
        "sqs" => return Ok(arn),
        "kinesis" => "Kinesis",
        "dynamodb" => "DynamoDB",
        "kafka" => "Amazon MSK",
        "mq" => "Amazon MQ",
        "rds" | "docdb-elastic" => "DocumentDB",
        _ => return Err(errors::unknown_source()),
    };
    Err(not_supported(&format!("event source mappings of {kind}")))
}

/// What a request sets; what it leaves out is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    enabled: Option<bool>,
    batch_size: Option<i32>,
    window_secs: Option<i32>,
    filters: Option<FilterCriteria>,
    scaling: Option<ScalingConfig>,
    response_types: Option<Vec<FunctionResponseType>>,
}

/// Refuses members that mean something for other sources, and members of sources that are not polled yet.
macro_rules! refuse_the_others {
    ($input:ident) => {
        let others = [
            (
                "AmazonManagedKafkaEventSourceConfig",
                $input.amazon_managed_kafka_event_source_config.is_some(),
            ),
            ("BisectBatchOnFunctionError", $input.bisect_batch_on_function_error.is_some()),
            (
                "DestinationConfig",
                $input
                    .destination_config
                    .as_ref()
                    .is_some_and(|config| config.on_failure.is_some() || config.on_success.is_some()),
            ),
            ("DocumentDBEventSourceConfig", $input.document_db_event_source_config.is_some()),
            ("LoggingConfig", $input.logging_config.is_some()),
            ("MaximumRecordAgeInSeconds", $input.maximum_record_age_in_seconds.is_some()),
            ("MaximumRetryAttempts", $input.maximum_retry_attempts.is_some()),
            ("ParallelizationFactor", $input.parallelization_factor.is_some()),
            ("SelfManagedKafkaEventSourceConfig", $input.self_managed_kafka_event_source_config.is_some()),
            ("SourceAccessConfigurations", is_given($input.source_access_configurations.as_ref())),
            ("TumblingWindowInSeconds", $input.tumbling_window_in_seconds.is_some()),
        ];
        if let Some((member, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(errors::not_for_this_source(member));
        }
        let unsupported = [
            ("KMSKeyArn of event source mappings", $input.kms_key_arn.is_some()),
            ("MetricsConfig of event source mappings", $input.metrics_config.is_some()),
            ("ProvisionedPollerConfig of event source mappings", $input.provisioned_poller_config.is_some()),
        ];
        if let Some((member, _)) = unsupported.into_iter().find(|(_, given)| *given) {
            return Err(not_supported(member));
        }
    };
}

fn is_given<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

impl Wanted {
    /// Of a new mapping.
    pub(crate) fn of_create(input: &CreateEventSourceMappingRequest) -> Result<Self, ServiceError> {
        refuse_the_others!(input);
        let others = [
            ("StartingPosition", input.starting_position.is_some()),
            ("StartingPositionTimestamp", input.starting_position_timestamp.is_some()),
            ("Topics", is_given(input.topics.as_ref())),
            ("Queues", is_given(input.queues.as_ref())),
        ];
        if let Some((member, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(errors::not_for_this_source(member));
        }
        Ok(Self {
            enabled: input.enabled,
            batch_size: input.batch_size,
            window_secs: input.maximum_batching_window_in_seconds,
            filters: input.filter_criteria.clone(),
            scaling: input.scaling_config.clone(),
            response_types: input.function_response_types.clone(),
        })
    }

    /// Of a change.
    pub(crate) fn of_update(input: &UpdateEventSourceMappingRequest) -> Result<Self, ServiceError> {
        refuse_the_others!(input);
        Ok(Self {
            enabled: input.enabled,
            batch_size: input.batch_size,
            window_secs: input.maximum_batching_window_in_seconds,
            filters: input.filter_criteria.clone(),
            scaling: input.scaling_config.clone(),
            response_types: input.function_response_types.clone(),
        })
    }

    /// The mapping after the request, on top of `before`: the mapping that is changed, or one that has a source and a
    /// function and nothing else.
    pub(crate) fn apply(self, before: &MappingRecord) -> Result<MappingRecord, ServiceError> {
        let source: Arn = before.source.parse().map_err(|_| errors::unknown_source())?;
        let is_new = before.batch_size == 0;
        let usual = |value: u32, default: i32| if is_new { default } else { value as i32 };
        let batch_size = self.batch_size.unwrap_or_else(|| usual(before.batch_size, BATCH_SIZE_DEFAULT));
        let window_secs = self.window_secs.unwrap_or_else(|| usual(before.window_secs, 0));
        let concurrency_max = match self.scaling {
            Some(scaling) => scaling.maximum_concurrency,
            None => before.concurrency_max.map(|bound| bound as i32),
        };
        check_batches(batch_size, window_secs, SqsSource::is_fifo(&source))?;
        if let Some(bound) = concurrency_max {
            check(bound, "MaximumConcurrency", CONCURRENCY_MIN, CONCURRENCY_MAX)?;
        }
        let filters = match self.filters {
            Some(criteria) => patterns(criteria)?,
            None => before.filters.clone(),
        };
        Criteria::parse(filters.as_deref().unwrap_or_default())?;
        let reports_failures = match self.response_types {
            Some(types) => types.contains(&FunctionResponseType::ReportBatchItemFailures),
            None => before.reports_failures,
        };
        Ok(MappingRecord {
            enabled: self.enabled.unwrap_or(is_new || before.enabled),
            batch_size: batch_size.unsigned_abs(),
            window_secs: window_secs.unsigned_abs(),
            filters,
            concurrency_max: concurrency_max.map(i32::unsigned_abs),
            reports_failures,
            ..before.clone()
        })
    }
}

fn check_batches(size: i32, window_secs: i32, is_fifo: bool) -> Result<(), ServiceError> {
    check(size, "BatchSize", 1, BATCH_SIZE_MAX)?;
    check(window_secs, "MaximumBatchingWindowInSeconds", 0, WINDOW_SECS_MAX)?;
    if is_fifo && window_secs > 0 {
        return Err(errors::no_window_for_fifo());
    }
    if is_fifo && size > BATCH_SIZE_SMALL_MAX {
        return Err(errors::batch_too_large_for_fifo(BATCH_SIZE_SMALL_MAX));
    }
    if size > BATCH_SIZE_SMALL_MAX && window_secs == 0 {
        return Err(errors::window_needed());
    }
    Ok(())
}

fn check(value: i32, member: &str, min: i32, max: i32) -> Result<(), ServiceError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(errors::out_of_bounds(value, member, min, max)) }
}

/// The patterns of criteria; criteria without filters take away those that were.
fn patterns(criteria: FilterCriteria) -> Result<Option<Vec<String>>, ServiceError> {
    let filters = criteria.filters.unwrap_or_default();
    let patterns: Result<Vec<_>, _> =
        filters.into_iter().map(|filter| filter.pattern.ok_or_else(errors::empty_filter)).collect();
    Ok(Some(patterns?).filter(|patterns| !patterns.is_empty()))
}

/// The bounds that a mapping sets its poller.
pub(crate) fn limits(record: &MappingRecord) -> Limits {
    Limits {
        records: record.batch_size as usize,
        bytes: batch::BYTES_MAX,
        window: std::time::Duration::from_secs(record.window_secs.into()),
        concurrency: record.concurrency_max.map(|bound| bound as usize),
    }
}

#[cfg(test)]
mod tests {
    use apus_model_lambda::Filter;

    use super::*;

    fn before(queue: &str) -> MappingRecord {
        let source = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        MappingRecord { source, function: "f".into(), ..MappingRecord::default() }
    }

    #[test]
    fn batches_have_the_bounds_of_their_queue() {
        let window =
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
        for (queue, size, secs, refused) in [
            ("jobs", None, None, None),
            ("jobs", Some(1), None, None),
            ("jobs", Some(10_000), Some(1), None),
            ("jobs", Some(10), Some(300), None),
            ("jobs.fifo", Some(10), None, None),
            ("jobs.fifo", Some(1), Some(0), None),
            ("jobs", Some(11), None, Some(window)),
            ("jobs", Some(0), None, Some("BatchSize is 0, and must be from 1 to 10000.")),
            ("jobs", Some(10_001), Some(1), Some("BatchSize is 10001, and must be from 1 to 10000.")),
            (
                "jobs",
                None,
                Some(301),
                Some("MaximumBatchingWindowInSeconds is 301, and must be from 0 to 300."),
            ),
            ("jobs.fifo", Some(11), None, Some("Batch size must be at most 10 for FIFO queues")),
            ("jobs.fifo", None, Some(1), Some("Batching window is not supported for FIFO queues")),
        ] {
            let wanted = Wanted { batch_size: size, window_secs: secs, ..Wanted::default() };
            let found = wanted.apply(&before(queue));
            let message = found.as_ref().err().map(|error| error.message().to_owned());
            assert_eq!(message.as_deref(), refused, "{queue} {size:?} {secs:?}");
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let filter =
            |text: &str| FilterCriteria { filters: Some(vec![Filter { pattern: Some(text.into()) }]) };
        let first = Wanted {
            enabled: Some(false),
            filters: Some(filter(r#"{"body": {"a": [1]}}"#)),
            scaling: Some(ScalingConfig { maximum_concurrency: Some(2) }),
            response_types: Some(vec![FunctionResponseType::ReportBatchItemFailures]),
            ..Wanted::default()
        };
        let first = first.apply(&before("jobs")).expect("it may be");
        assert_eq!((first.batch_size, first.window_secs, first.enabled), (10, 0, false));
        assert_eq!((first.concurrency_max, first.reports_failures), (Some(2), true));
        assert_eq!(Wanted::default().apply(&first).expect("nothing changes"), first);
        let cleared = Wanted {
            filters: Some(FilterCriteria::default()),
            scaling: Some(ScalingConfig::default()),
            response_types: Some(Vec::new()),
            enabled: Some(true),
            batch_size: Some(3),
            ..Wanted::default()
        };
        let cleared = cleared.apply(&first).expect("it may be");
        assert_eq!((cleared.filters, cleared.concurrency_max, cleared.reports_failures), (None, None, false));
        assert_eq!((cleared.batch_size, cleared.enabled), (3, true));
    }

    #[test]
    fn filters_and_concurrency_have_bounds() {
        let filters = |patterns: &[&str]| {
            let filter = |text: &&str| Filter { pattern: Some((*text).to_owned()) };
            let filters = Some(FilterCriteria { filters: Some(patterns.iter().map(filter).collect()) });
            Wanted { filters, ..Wanted::default() }.apply(&before("jobs")).map(drop)
        };
        let good = r#"{"body": {"a": [1]}}"#;
        assert!(filters(&[good; 5]).is_ok());
        for patterns in [&[good; 6][..], &["{"], &["{}"], &["null"], &[r#"{"body": "a"}"#]] {
            assert!(filters(patterns).is_err(), "{patterns:?}");
        }
        for (bound, allowed) in [(2, true), (1_000, true), (1, false), (1_001, false)] {
            let scaling = Some(ScalingConfig { maximum_concurrency: Some(bound) });
            let applied = Wanted { scaling, ..Wanted::default() }.apply(&before("jobs"));
            assert_eq!(applied.is_ok(), allowed, "{bound}");
        }
    }
}
