//! What a new function may be: the rules beyond the model, and what is refused by name.

use std::collections::BTreeMap;

use apus_model_lambda::{
    Architecture, CreateFunctionRequest, LogFormat, LoggingConfig, PackageType, SnapStartApplyOn, TracingMode,
};
use apus_schema::ServiceError;

use crate::limits::{
    MEMORY_MB_DEFAULT, MEMORY_MB_MAX, TAGS_MAX, TIMEOUT_SECS_DEFAULT, TIMEOUT_SECS_MAX, TMP_MB_DEFAULT,
    TMP_MB_MAX,
};
use crate::{errors, variables};

/// The runtimes that are supported: those of these prefixes, with a version.
const RUNTIME_PREFIXES: [&str; 2] = ["nodejs", "python3."];
/// What names of tags may not begin with.
const RESERVED_TAG_PREFIX: &str = "aws:";

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
    pub(crate) log_group: String,
    pub(crate) tags: BTreeMap<String, String>,
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
        if !RUNTIME_PREFIXES.iter().any(|prefix| runtime.as_str().starts_with(prefix)) {
            return Err(errors::not_supported(&format!("the runtime {runtime}")));
        }
        let variables = request.environment.as_ref().and_then(|environment| environment.variables.clone());
        if let Some(variables) = &variables {
            variables::check(variables)?;
        }
        let tags = request.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
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
            log_group: log_group(request.logging_config.as_ref(), name)?,
            tags,
        })
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

fn log_group(config: Option<&LoggingConfig>, name: &str) -> Result<String, ServiceError> {
    let default = || format!("/aws/lambda/{name}");
    let Some(config) = config else { return Ok(default()) };
    if config.log_format.as_ref().is_some_and(|format| *format != LogFormat::Text) {
        return Err(errors::not_supported("LoggingConfig.LogFormat JSON"));
    }
    if config.application_log_level.is_some() || config.system_log_level.is_some() {
        return Err(errors::not_supported("log levels in LoggingConfig"));
    }
    Ok(config.log_group.clone().unwrap_or_else(default))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    if tags.len() > TAGS_MAX {
        return Err(errors::invalid_parameter(format!("A function has at most {TAGS_MAX} tags.")));
    }
    match tags.keys().find(|key| key.starts_with(RESERVED_TAG_PREFIX)) {
        Some(key) => {
            Err(errors::invalid_parameter(format!("The tag key {key} is reserved: it begins with aws:.")))
        }
        None => Ok(()),
    }
}

/// Refuses what would have an effect that Apus does not give. Defaults, spelled out, are accepted.
fn refuse_unsupported(request: &CreateFunctionRequest) -> Result<(), ServiceError> {
    let r = request;
    let any = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let vpc = r.vpc_config.as_ref().is_some_and(|vpc| any(&vpc.subnet_ids) || any(&vpc.security_group_ids));
    let dead_letters = r.dead_letter_config.as_ref().is_some_and(|config| text(&config.target_arn));
    let traced = r.tracing_config.as_ref().and_then(|config| config.mode.as_ref());
    let snap_start = r.snap_start.as_ref().and_then(|config| config.apply_on.as_ref());
    let foreign = |one: &&Architecture| one.as_str() != host_architecture();
    let image = r.image_config.as_ref().is_some_and(|config| {
        any(&config.entry_point) || any(&config.command) || text(&config.working_directory)
    });
    let architecture = r.architectures.iter().flatten().find(foreign);
    if let Some(architecture) = architecture {
        let host = host_architecture();
        return Err(errors::not_supported(&format!("the architecture {architecture} on this {host} host")));
    }
    for (refused, what) in [
        (r.package_type.as_ref().is_some_and(|kind| *kind != PackageType::Zip), "PackageType Image"),
        (text(&r.code.image_uri), "Code.ImageUri"),
        (text(&r.code.source_kms_key_arn), "Code.SourceKMSKeyArn"),
        (
            r.code.s3_object_storage_mode.as_ref().is_some_and(|mode| mode.as_str() != "COPY"),
            "Code.S3ObjectStorageMode",
        ),
        (r.publish == Some(true), "Publish"),
        (r.publish_to.is_some(), "PublishTo"),
        (vpc, "VpcConfig"),
        (dead_letters, "DeadLetterConfig"),
        (text(&r.kms_key_arn), "KMSKeyArn"),
        (traced.is_some_and(|mode| *mode != TracingMode::PassThrough), "TracingConfig.Mode Active"),
        (any(&r.layers), "Layers"),
        (r.file_system_configs.as_ref().is_some_and(|list| !list.is_empty()), "FileSystemConfigs"),
        (text(&r.code_signing_config_arn), "CodeSigningConfigArn"),
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
