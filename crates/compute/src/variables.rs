//! The environment variables of a function: AWS's, the runtime's and its own. AWS's reserved names cannot
//! be overridden; the others can.

use crate::certificates;
use crate::log_format::LogFormat;
use crate::spec::{Credentials, FunctionSpec};

/// The port of the Runtime API is part of every function's environment.
pub(crate) struct VariableContext<'a> {
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) log_stream: &'a str,
    pub(crate) runtime: &'a [(String, String)],
    /// Whether the environment is started ahead of invocations.
    pub(crate) ahead: bool,
    /// `host:port` of the Runtime API.
    pub(crate) runtime_api: &'a str,
}

/// What a function's variables are, in the order of their names.
pub(crate) fn variables(spec: &FunctionSpec, context: &VariableContext<'_>) -> Vec<(String, String)> {
    let open = [
        ("LANG", "en_US.UTF-8"),
        (
            "LD_LIBRARY_PATH",
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        ),
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("SHLVL", "0"),
        ("TZ", ":UTC"),
    ];
    let memory = spec.memory_mb.to_string();
    // Who brings a runtime says its name.
    let execution_env =
        (!spec.runtime.starts_with("provided")).then(|| format!("AWS_Lambda_{}", spec.runtime));
    let reserved = [
        ("AWS_DEFAULT_REGION", &*spec.region),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", &spec.version),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            if context.ahead { "provisioned-concurrency" } else { "on-demand" },
        ),
        ("AWS_LAMBDA_LOG_FORMAT", spec.log_format.name()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &spec.log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", context.log_stream),
        ("AWS_LAMBDA_RUNTIME_API", context.runtime_api),
        ("AWS_REGION", &spec.region),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("_HANDLER", &spec.handler),
    ];
    let secrets = context.credentials.map_or_else(Vec::new, |credentials| {
        vec![
            ("AWS_ACCESS_KEY_ID", &*credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", &credentials.session_token),
        ]
    });
    // In text there is none, and a function may have one of its own.
    let log_level = match spec.log_format {
        LogFormat::Text => None,
        LogFormat::Json { application, .. } => Some(("AWS_LAMBDA_LOG_LEVEL", application.name())),
    };
    // Later ones win.
    let mut all = std::collections::BTreeMap::new();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    all.extend(open.iter().map(owned));
    all.extend(certificates::VARIABLES.iter().map(owned));
    all.extend(context.runtime.iter().cloned());
    all.extend(spec.variables.iter().cloned());
    all.extend(reserved.iter().map(owned));
    all.extend(log_level.iter().map(owned));
    all.extend(execution_env.map(|name| ("AWS_EXECUTION_ENV".to_owned(), name)));
    all.extend(secrets.iter().map(owned));
    all.into_iter().collect()
}

/// What of a function's variables is the runtime's business only, as on AWS.
const OF_RUNTIMES: [&str; 6] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
];

/// The variables of its extensions.
pub(crate) fn of_extensions(variables: &[(String, String)]) -> Vec<(String, String)> {
    variables.iter().filter(|(name, _)| !OF_RUNTIMES.contains(&name.as_str())).cloned().collect()
}
