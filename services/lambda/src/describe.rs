//! A function as answers show it.

use apus_model_lambda::{
    Architecture, DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration,
    LastUpdateStatus, LastUpdateStatusReasonCode, Layer, PackageType, Runtime, SnapStartApplyOn,
    SnapStartOptimizationStatus, SnapStartResponse, State, StateReasonCode, TracingConfigResponse,
    TracingMode,
};
use apus_store::StoreError;
use apus_time::Timestamp;

use crate::function_name::FunctionReference;
use crate::logging;
use crate::store::FunctionRecord;
use crate::store::layer::LayerContent;
use crate::store::stage::Stage;

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
    let state = match &record.state {
        None => State::Active,
        Some(Stage::Pending) => State::Pending,
        Some(Stage::Failed { .. }) => State::Failed,
    };
    let (state_reason, state_code) = reasons(record.state.as_ref().filter(|_| full));
    // Of what was never ready, no update is told.
    let update = match &record.update {
        None => LastUpdateStatus::Successful,
        Some(Stage::Pending) => LastUpdateStatus::InProgress,
        Some(Stage::Failed { .. }) => LastUpdateStatus::Failed,
    };
    let last_update_status = (full && record.state.is_none()).then_some(update);
    let (update_reason, update_code) = reasons(record.update.as_ref().filter(|_| full));
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
        state: full.then_some(state),
        state_reason,
        state_reason_code: state_code.map(|code| StateReasonCode::from(code.as_str())),
        last_update_status,
        last_update_status_reason: update_reason,
        last_update_status_reason_code: update_code
            .map(|code| LastUpdateStatusReasonCode::from(code.as_str())),
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

/// The reason of a stage and its code: AWS has the same ones for what is made and what is updated.
fn reasons(stage: Option<&Stage>) -> (Option<String>, Option<String>) {
    match stage {
        None => (None, None),
        Some(Stage::Pending) => {
            (Some("The function is being created.".to_owned()), Some("Creating".to_owned()))
        }
        Some(Stage::Failed { code, reason }) => (Some(reason.clone()), Some(code.clone())),
    }
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
