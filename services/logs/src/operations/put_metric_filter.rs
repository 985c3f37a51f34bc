//! `PutMetricFilter`: keeps a metric filter's definition. Nothing counts by it yet: there are no metrics to count in.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{LogGroupClass, PutMetricFilter, PutMetricFilterRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, group_resource};
use crate::pattern::Pattern;
use crate::store::MetricFilterRecord;

/// Metric filters of a group.
const FILTERS_MAX: usize = 100;
/// Dimensions of a metric.
const DIMENSIONS_MAX: usize = 3;

pub(crate) const ACCESS: Access<PutMetricFilter> =
    Access::new("logs:PutMetricFilter", |input: &PutMetricFilterRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn put_metric_filter(
    logs: Arc<Logs>,
    context: Context,
    input: PutMetricFilterRequest,
) -> Result<Unit, ServiceError> {
    for (given, name) in [
        (input.apply_on_transformed_logs == Some(true), "applyOnTransformedLogs"),
        (input.field_selection_criteria.is_some(), "fieldSelectionCriteria"),
        (input.emit_system_field_dimensions.is_some(), "emitSystemFieldDimensions"),
    ] {
        if given {
            return Err(not_supported(name).into());
        }
    }
    Pattern::parse(&input.filter_pattern).map_err(|error| Refusal::parameter(error.to_string()))?;
    let transformation = input.metric_transformations.into_iter().next();
    let transformation =
        transformation.ok_or_else(|| Refusal::parameter("A metric transformation must be specified."))?;
    let dimensions = transformation.dimensions.filter(|dimensions| !dimensions.is_empty());
    if dimensions.as_ref().is_some_and(|dimensions| dimensions.len() > DIMENSIONS_MAX) {
        return Err(Refusal::parameter("A metric may have no more than 3 dimensions.").into());
    }
    if dimensions.is_some() && transformation.default_value.is_some() {
        return Err(Refusal::parameter(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
        )
        .into());
    }
    let filter = MetricFilterRecord {
        pattern: input.filter_pattern,
        created_at_ms: context.now.as_millis(),
        metric_name: transformation.metric_name,
        namespace: transformation.metric_namespace,
        value: transformation.metric_value,
        default_value: transformation.default_value,
        dimensions,
        unit: transformation.unit.map(|unit| unit.as_str().to_owned()),
    };
    let id = GroupId::of(&context.caller, input.log_group_name);
    let name = input.filter_name;
    let change = logs.change_group(&id, |_tx, record| {
        if record.class.as_deref() == Some(LogGroupClass::InfrequentAccess.as_str()) {
            return Err(Refusal::Operation("Metric filters need the log group class STANDARD.".into()));
        }
        let filters = record.metric_filters.get_or_insert_default();
        if filters.len() >= FILTERS_MAX && !filters.contains_key(&name) {
            return Err(Refusal::Limit("Resource limit exceeded.".into()));
        }
        filters.insert(name.clone(), filter.clone());
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
