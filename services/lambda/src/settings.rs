//! What a new function may be: the rules beyond the model, and what is refused by name.

use std::collections::BTreeMap;

use apus_model_lambda::{
    Architecture, CreateFunctionRequest, DeadLetterConfig, Environment, EphemeralStorage, PackageType,
    Runtime, SnapStartApplyOn, TracingMode, UpdateFunctionConfigurationRequest,
};
use apus_schema::ServiceError;

use crate::limits::{
    MEMORY_MB_DEFAULT, MEMORY_MB_MAX, TIMEOUT_SECS_DEFAULT, TIMEOUT_SECS_MAX, TMP_MB_DEFAULT, TMP_MB_MAX,
};
use crate::logging::Logging;
use crate::store::FunctionRecord;
use crate::{errors, logging, tags, variables};

/// The runtimes that are supported: what their names begin with.
const RUNTIME_PREFIXES: [&str; 5] = ["go1.x", "java", "nodejs", "provided", "python3."];

/// A function's configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) description: String,
    pub(crate) timeout_secs: u32,
    pub(crate) memory_mb: u32,
    pub(crate) tmp_mb: u32,
    pub(crate) variables: Option<BTreeMap<String, String>>,
    pub(crate) architecture: String,
    pub(crate) logging: Logging,
    pub(crate) tags: BTreeMap<String, String>,
    /// An ARN.
    pub(crate) dead_letters: Option<String>,
}

impl Settings {
    /// The settings that a request asks for, for a function of that name.
    pub(crate) fn of(request: &CreateFunctionRequest, name: &str) -> Result<Self, ServiceError> {
        refuse_unsupported(request)?;
        let (Some(runtime), Some(handler)) = (&request.runtime, &request.handler) else {
            return Err(errors::invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        };
        Self::check_runtime(runtime.as_str())?;
        let variables = request.environment.as_ref().and_then(|environment| environment.variables.clone());
        if let Some(variables) = &variables {
            variables::check(variables)?;
        }
        let tags = request.tags.clone().unwrap_or_default();
        tags::check(&tags, "A function has at most 50 tags.")?;
        let tmp = request.ephemeral_storage.as_ref().map(|storage| storage.size);
        Ok(Self {
            runtime: runtime.as_str().to_owned(),
            handler: handler.clone(),
            description: request.description.clone().unwrap_or_default(),
            timeout_secs: bounded(request.timeout, TIMEOUT_SECS_DEFAULT, TIMEOUT_SECS_MAX, "timeout")?,
            memory_mb: bounded(request.memory_size, MEMORY_MB_DEFAULT, MEMORY_MB_MAX, "memorySize")?,
            tmp_mb: bounded(tmp, TMP_MB_DEFAULT, TMP_MB_MAX, "ephemeralStorage.size")?,
            variables: variables.filter(|variables| !variables.is_empty()),
            architecture: host_architecture().to_owned(),
            logging: Logging::of(request.logging_config.as_ref(), name)?,
            tags,
            dead_letters: dead_letters(request.dead_letter_config.as_ref()),
        })
    }

    /// Refuses runtimes that Apus does not have.
    pub(crate) fn check_runtime(runtime: &str) -> Result<(), ServiceError> {
        if RUNTIME_PREFIXES.iter().any(|prefix| runtime.starts_with(prefix)) {
            return Ok(());
        }
        Err(errors::not_supported(&format!("the runtime {runtime}")))
    }

    /// The settings of a function of that name after a change.
    pub(crate) fn changed(
        input: UpdateFunctionConfigurationRequest,
        before: &FunctionRecord,
        name: &str,
    ) -> Result<Self, ServiceError> {
        Self::of(&as_created(input, before), name)
    }

    /// Sets them.
    pub(crate) fn put_into(self, record: &mut FunctionRecord) {
        let Self { runtime, handler, description, timeout_secs, memory_mb, tmp_mb, .. } = self;
        let Self { variables, architecture, logging, tags, dead_letters, .. } = self;
        *record = FunctionRecord {
            runtime,
            handler,
            description,
            timeout_secs,
            memory_mb,
            tmp_mb,
            variables,
            architecture,
            log_group: logging.group,
            json_log: logging.json,
            tags,
            dead_letters,
            ..record.clone()
        };
    }
}

/// What a function would be created with to be what it is, but for what the request changes.
fn as_created(input: UpdateFunctionConfigurationRequest, before: &FunctionRecord) -> CreateFunctionRequest {
    let variables = || before.variables.clone().map(|variables| Environment { variables: Some(variables) });
    let tmp = || EphemeralStorage { size: before.tmp_mb as i32 };
    let dead_letters = || DeadLetterConfig { target_arn: before.dead_letters.clone() };
    CreateFunctionRequest {
        runtime: Some(input.runtime.unwrap_or_else(|| Runtime::from(before.runtime.as_str()))),
        handler: Some(input.handler.unwrap_or_else(|| before.handler.clone())),
        description: Some(input.description.unwrap_or_else(|| before.description.clone())),
        timeout: Some(input.timeout.unwrap_or(before.timeout_secs as i32)),
        memory_size: Some(input.memory_size.unwrap_or(before.memory_mb as i32)),
        ephemeral_storage: Some(input.ephemeral_storage.unwrap_or_else(tmp)),
        environment: input.environment.or_else(variables),
        logging_config: Some(logging::as_asked(input.logging_config, before)),
        tags: Some(before.tags.clone()),
        vpc_config: input.vpc_config,
        dead_letter_config: Some(input.dead_letter_config.unwrap_or_else(dead_letters)),
        kms_key_arn: input.kms_key_arn,
        tracing_config: input.tracing_config,
        file_system_configs: input.file_system_configs,
        image_config: input.image_config,
        snap_start: input.snap_start,
        capacity_provider_config: input.capacity_provider_config,
        durable_config: input.durable_config,
        runtime_config: input.runtime_config,
        accelerator_config: input.accelerator_config,
        ..CreateFunctionRequest::default()
    }
}

/// The architecture of this host, as Lambda calls it.
pub(crate) fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

/// The lower bounds are the model's.
fn bounded(value: Option<i32>, default: i32, max: i32, member: &str) -> Result<u32, ServiceError> {
    let value = value.unwrap_or(default);
    if value > max {
        return Err(errors::above_bound(value, member, max));
    }
    u32::try_from(value).map_err(|_| errors::invalid_parameter(format!("{member} must not be negative.")))
}

/// The dead-letter queue or topic that a request names; an empty name is none.
pub(crate) fn dead_letters(config: Option<&DeadLetterConfig>) -> Option<String> {
    config.and_then(|config| config.target_arn.clone()).filter(|target| !target.is_empty())
}

/// Functions run on this host as it is.
pub(crate) fn check_architectures(asked: Option<&[Architecture]>) -> Result<(), ServiceError> {
    let host = host_architecture();
    match asked.unwrap_or_default().iter().find(|one| one.as_str() != host) {
        Some(other) => Err(errors::not_supported(&format!("the architecture {other} on this {host} host"))),
        None => Ok(()),
    }
}

/// Refuses what would have an effect that Apus does not give. Defaults, spelled out, are accepted.
fn refuse_unsupported(request: &CreateFunctionRequest) -> Result<(), ServiceError> {
    let r = request;
    let any = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let vpc = r.vpc_config.as_ref().is_some_and(|vpc| any(&vpc.subnet_ids) || any(&vpc.security_group_ids));
    let traced = r.tracing_config.as_ref().and_then(|config| config.mode.as_ref());
    let snap_start = r.snap_start.as_ref().and_then(|config| config.apply_on.as_ref());
    let image = r.image_config.as_ref().is_some_and(|config| {
        any(&config.entry_point) || any(&config.command) || text(&config.working_directory)
    });
    check_architectures(r.architectures.as_deref())?;
    for (refused, what) in [
        (r.package_type.as_ref().is_some_and(|kind| *kind != PackageType::Zip), "PackageType Image"),
        (text(&r.code.image_uri), "Code.ImageUri"),
        (text(&r.code.source_kms_key_arn), "Code.SourceKMSKeyArn"),
        (
            r.code.s3_object_storage_mode.as_ref().is_some_and(|mode| mode.as_str() != "COPY"),
            "Code.S3ObjectStorageMode",
        ),
        (r.publish_to.is_some(), "PublishTo"),
        (vpc, "VpcConfig"),
        (text(&r.kms_key_arn), "KMSKeyArn"),
        (traced.is_some_and(|mode| *mode != TracingMode::PassThrough), "TracingConfig.Mode Active"),
        (r.file_system_configs.as_ref().is_some_and(|list| !list.is_empty()), "FileSystemConfigs"),
        (image, "ImageConfig"),
        (snap_start.is_some_and(|on| *on != SnapStartApplyOn::None), "SnapStart"),
        (r.tenancy_config.is_some(), "TenancyConfig"),
        (r.capacity_provider_config.is_some(), "CapacityProviderConfig"),
        (r.durable_config.is_some(), "DurableConfig"),
        (r.runtime_config.is_some(), "RuntimeConfig"),
        (r.accelerator_config.is_some(), "AcceleratorConfig"),
    ] {
        if refused {
            return Err(errors::not_supported(what));
        }
    }
    Ok(())
}
