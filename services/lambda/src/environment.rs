//! A function as the pool is told of it, and what its environments get from the platform.

use std::sync::Arc;
use std::time::Duration;

use apus_compute::{Credentials, Egress, EnvironmentPorts, FunctionSpec, InsideListeners, LineSink, Share};
use apus_env::Env;

use crate::code::cache::UnpackedCode;
use crate::function_name::FunctionId;
use crate::ports::{EndpointServer, LogSink, LogSource};
use crate::role_sessions::RoleSession;
use crate::store::find::Found;
use crate::{Lambda, concurrency, logging};

/// Where AWS's tools look for the platform; a function may set it otherwise.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

/// The function, ready to run with that session and that code.
pub(crate) fn spec(
    lambda: &Lambda,
    id: &FunctionId,
    found: &Found,
    session: Arc<RoleSession>,
    code: Arc<UnpackedCode>,
    layers: Vec<Arc<UnpackedCode>>,
) -> FunctionSpec {
    let Found { version, reserved_concurrency, .. } = found;
    let record = found.content();
    let own = record.variables.iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    let mut variables: Vec<_> = own.collect();
    if !variables.iter().any(|(name, _)| name == ENDPOINT_VARIABLE) {
        variables.push((ENDPOINT_VARIABLE.to_owned(), lambda.endpoint_url.clone()));
    }
    FunctionSpec {
        key: session.key.clone(),
        name: id.name.clone(),
        version: version.clone(),
        arn: id.arn().to_string(),
        region: id.region.to_string(),
        handler: record.handler.clone(),
        runtime: record.runtime.clone(),
        memory_mb: record.memory_mb,
        timeout: Duration::from_secs(record.timeout_secs.into()),
        concurrency_max: *reserved_concurrency,
        // What is reserved for it is its own.
        share: reserved_concurrency.is_none().then(|| Share {
            name: format!("{}/{}", id.account, id.region).into(),
            max: concurrency::unreserved(lambda.concurrency_max, found.reserved_total),
        }),
        tmp_mb: record.tmp_mb,
        variables,
        code_dir: code.directory.clone(),
        layer_dirs: layers.iter().map(|layer| layer.directory.clone()).collect(),
        egress: Egress::AsConfigured,
        log_group: record.log_group.clone(),
        log_format: logging::format(record),
        ports: Arc::new(Ports {
            env: lambda.env.clone(),
            id: id.clone(),
            log_group: record.log_group.clone(),
            version: version.clone(),
            session,
            endpoints: Arc::clone(&lambda.endpoints),
            logs: Arc::clone(&lambda.logs),
            _code: code,
            _layers: layers,
        }),
    }
}

/// Lives as long as the environments do.
struct Ports {
    env: Env,
    id: FunctionId,
    log_group: String,
    version: String,
    session: Arc<RoleSession>,
    endpoints: Arc<dyn EndpointServer>,
    logs: Arc<dyn LogSink>,
    /// Keeps the code on disk.
    _code: Arc<UnpackedCode>,
    _layers: Vec<Arc<UnpackedCode>>,
}

impl EnvironmentPorts for Ports {
    fn credentials(&self) -> Option<Credentials> {
        Some(self.session.credentials.clone())
    }

    fn log_stream(&self) -> String {
        let now = self.env.now().to_iso8601();
        let day = now.split('T').next().unwrap_or_default().replace('-', "/");
        let random = self.env.uuid_v4().replace('-', "");
        // A group of its own choice may be that of many functions.
        let own = self.log_group == logging::default_group(&self.id.name);
        let function = if own { "" } else { &*self.id.name };
        format!("{day}/{function}[{}]{random}", self.version)
    }

    fn log(&self, log_stream: &str) -> Arc<dyn LineSink> {
        self.logs.open(LogSource {
            account: self.id.account,
            region: self.id.region.clone(),
            group: self.log_group.clone(),
            stream: log_stream.to_owned(),
            credentials: self.session.credentials.clone(),
        })
    }

    fn serve_endpoint(&self, inside: InsideListeners) {
        self.endpoints.serve(inside, &self.session.credentials.access_key_id);
    }
}
