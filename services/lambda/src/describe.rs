//! A function as answers show it.

use apus_model_lambda::{
    Architecture, DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration,
    LastUpdateStatus, Layer, PackageType, Runtime, SnapStartApplyOn, SnapStartOptimizationStatus,
    SnapStartResponse, State, TracingConfigResponse, TracingMode,
};
use apus_store::StoreError;
use apus_time::Timestamp;

use crate::function_name::FunctionReference;
use crate::logging;
use crate::store::FunctionRecord;
use crate::store::layer::LayerContent;

/// How much an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of it.
    Full,
    /// What `ListFunctions` tells: nothing of states.
    Listed,
}

/// The configuration, under the ARN that the caller asked for.
pub(crate) fn configuration(
    function: &FunctionReference,
    version: &str,
    record: &FunctionRecord,
    detail: Detail,
) -> Result<FunctionConfiguration, StoreError> {
    let full = detail == Detail::Full;
    Ok(FunctionConfiguration {
        function_name: Some(function.id.name.clone()),
        function_arn: Some(function.arn().to_string()),
        runtime: Some(Runtime::from(record.runtime.as_str())),
        role: Some(record.role.clone()),
        handler: Some(record.handler.clone()),
        code_size: Some(record.code_bytes as i64),
        description: Some(record.description.clone()),
        timeout: Some(record.timeout_secs as i32),
        memory_size: Some(record.memory_mb as i32),
        last_modified: Some(last_modified(Timestamp::from_micros(record.modified_at_micros))),
        code_sha256: Some(record.code_hash()?.to_base64()),
        version: Some(version.to_owned()),
        environment: record
            .variables
            .clone()
            .map(|variables| EnvironmentResponse { variables: Some(variables), error: None }),
        tracing_config: Some(TracingConfigResponse { mode: Some(TracingMode::PassThrough) }),
        dead_letter_config: record
            .dead_letters
            .clone()
            .map(|target| DeadLetterConfig { target_arn: Some(target) }),
        layers: record.layers.as_ref().map(|layers| layers.iter().map(described_layer).collect()),
        revision_id: Some(record.revision.clone()),
        state: full.then_some(State::Active),
        last_update_status: full.then_some(LastUpdateStatus::Successful),
        package_type: Some(PackageType::Zip),
        architectures: Some(vec![Architecture::from(record.architecture.as_str())]),
        ephemeral_storage: Some(EphemeralStorage { size: record.tmp_mb as i32 }),
        snap_start: Some(SnapStartResponse {
            apply_on: Some(SnapStartApplyOn::None),
            optimization_status: Some(SnapStartOptimizationStatus::Off),
        }),
        logging_config: Some(logging::described(record)),
        ..FunctionConfiguration::default()
    })
}

fn described_layer(layer: &LayerContent) -> Layer {
    Layer { arn: Some(layer.arn.clone()), code_size: Some(layer.bytes as i64), ..Layer::default() }
}

/// `2026-11-21T10:00:00.000+0000`.
pub(crate) fn last_modified(at: Timestamp) -> String {
    at.to_iso8601_millis().replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_modified_has_lambdas_own_format() {
        assert_eq!(last_modified(Timestamp::from_millis(1_763_719_200_007)), "2025-11-21T10:00:00.007+0000");
    }
}
