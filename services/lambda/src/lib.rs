//! Lambda: functions and their invocation. Purpose, key layout, invariants and deviations stand in the README.
//!
//! [`service`] is the registration table: read it first. How a function runs is `apus-compute`'s business;
//! this crate says what runs, as whom, and what the caller is told.

mod alias;
mod asynchronous;
mod client_context;
mod code;
mod code_signing;
mod code_source;
mod concurrency;
mod describe;
mod destinations;
mod downloads;
mod environment;
mod environments;
mod errors;
mod event_invoke;
mod executions;
mod function_name;
mod layer;
mod layer_name;
mod limits;
mod lineage;
mod logging;
mod mapping;
mod marker;
mod operations;
mod permission;
mod ports;
mod provisioned;
mod rates;
mod readiness;
mod resolve;
mod revision;
mod role_sessions;
mod run;
mod settings;
mod store;
mod tags;
mod unpacked;
mod variables;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apus_compute::Compute;
use apus_env::Env;
use apus_kernel::{Outbox, Service};
use apus_model_lambda::SERVICE;
use apus_store::fsck::Check;
use apus_store::{BlobId, Store, StoreError};
use apus_time::Timestamp;

pub use crate::ports::{EndpointServer, LogSink, LogSource};

use crate::asynchronous::gate::Gate;
use crate::code::cache::CodeCache;
use crate::downloads::{Downloads, Packages};
use crate::environments::Environments;
use crate::executions::front::Executions;
use crate::executions::journal::Journal;
use crate::mapping::keeper::{Mappings, keep_mappings};
use crate::operations as op;
use crate::provisioned::keeper::{Provisions, keep_provisioned};
use crate::rates::Rates;
use crate::readiness::{Readiness, keep_ready};
use crate::role_sessions::RoleSessions;
use crate::store::version::Publication;

/// How functions are kept and run.
#[derive(Clone, Debug)]
pub struct LambdaConfig {
    /// A directory of this instance alone, for unpacked code; other users must be able to pass through
    /// the directories above it.
    pub code_dir: PathBuf,
    /// How much unpacked code is kept that no environment uses, in bytes.
    pub code_bytes_max: u64,
    /// `AWS_ENDPOINT_URL` inside sandboxes: the URL of the listener that [`EndpointServer`] is given.
    pub endpoint_url: String,
    /// Invocations of all functions of an account in a region at once: its quota `Concurrent executions`.
    pub concurrency_max: u32,
    /// How long an operation that makes or updates a function waits for it to be ready before it answers.
    pub readiness_wait: Duration,
}

impl LambdaConfig {
    /// How long operations wait for functions to be ready unless told otherwise: what takes longer fetches something.
    pub const READINESS_WAIT: Duration = Duration::from_millis(100);

    /// The quota of concurrent executions unless told otherwise: 1,000, as on AWS.
    pub const CONCURRENCY_MAX: u32 = concurrency::ACCOUNT_MAX;

    /// How much unpacked code is kept unless told otherwise: 2 GiB.
    pub const CODE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

    /// The usual choices.
    pub fn new(code_dir: impl Into<PathBuf>, endpoint_url: impl Into<String>) -> Self {
        Self {
            code_dir: code_dir.into(),
            code_bytes_max: Self::CODE_BYTES_MAX,
            endpoint_url: endpoint_url.into(),
            concurrency_max: Self::CONCURRENCY_MAX,
            readiness_wait: Self::READINESS_WAIT,
        }
    }
}

/// What every operation is passed.
pub(crate) struct Lambda {
    env: Env,
    store: Store,
    outbox: Outbox,
    compute: Compute,
    code: CodeCache,
    sessions: RoleSessions,
    gate: Gate,
    journal: Arc<Journal>,
    mappings: Mappings,
    provisions: Provisions,
    readiness: Readiness,
    endpoints: Arc<dyn EndpointServer>,
    logs: Arc<dyn LogSink>,
    endpoint_url: String,
    concurrency_max: u32,
    readiness_wait: Duration,
    rates: Rates,
    downloads: Arc<Downloads>,
}

/// What the service stands on.
pub struct Foundation {
    /// Time and chance.
    pub env: Env,
    /// Where its state lives.
    pub store: Store,
    /// What it leaves to be done later.
    pub outbox: Outbox,
    /// What runs functions.
    pub compute: Compute,
    /// What serves the platform to functions.
    pub endpoints: Arc<dyn EndpointServer>,
    /// Where functions' lines go.
    pub logs: Arc<dyn LogSink>,
    /// How functions are kept and run.
    pub config: LambdaConfig,
}

/// The service. Fails if the directory for code cannot be used.
pub fn service(foundation: Foundation) -> io::Result<Service> {
    let Foundation { env, store, outbox, compute, endpoints, logs, config } = foundation;
    let code = CodeCache::open(env.clone(), &config.code_dir, config.code_bytes_max)?;
    let (sessions, gate, journal) = (RoleSessions::default(), Gate::default(), Arc::<Journal>::default());
    let LambdaConfig { endpoint_url, concurrency_max, readiness_wait, .. } = config;
    let executions = Executions { store: store.clone() };
    let downloads = Arc::new(Downloads::new(&env));
    let packages = Packages { env: env.clone(), store: store.clone(), downloads: Arc::clone(&downloads) };
    let environments = Environments { compute: compute.clone() };
    let (mappings, provisions) = (Mappings::default(), Provisions::default());
    let lambda = Lambda {
        env,
        store,
        outbox,
        compute,
        code,
        sessions,
        gate,
        journal,
        mappings,
        provisions,
        readiness: Readiness::default(),
        endpoints,
        logs,
        endpoint_url,
        concurrency_max,
        readiness_wait,
        rates: Rates::default(),
        downloads,
    };
    Ok(Service::of(&SERVICE, lambda)
        .operation(
            op::add_layer_version_permission::ACCESS,
            op::add_layer_version_permission::add_layer_version_permission,
        )
        .operation(op::add_permission::ACCESS, op::add_permission::add_permission)
        .operation(op::create_alias::ACCESS, op::create_alias::create_alias)
        .operation(
            op::create_code_signing_config::ACCESS,
            op::create_code_signing_config::create_code_signing_config,
        )
        .operation(
            op::create_event_source_mapping::ACCESS,
            op::create_event_source_mapping::create_event_source_mapping,
        )
        .operation(op::create_function::ACCESS, op::create_function::create_function)
        .operation(op::delete_alias::ACCESS, op::delete_alias::delete_alias)
        .operation(
            op::delete_code_signing_config::ACCESS,
            op::delete_code_signing_config::delete_code_signing_config,
        )
        .operation(
            op::delete_event_source_mapping::ACCESS,
            op::delete_event_source_mapping::delete_event_source_mapping,
        )
        .operation(op::delete_function::ACCESS, op::delete_function::delete_function)
        .operation(
            op::delete_function_code_signing_config::ACCESS,
            op::delete_function_code_signing_config::delete_function_code_signing_config,
        )
        .operation(
            op::delete_function_concurrency::ACCESS,
            op::delete_function_concurrency::delete_function_concurrency,
        )
        .operation(
            op::delete_function_event_invoke_config::ACCESS,
            op::delete_function_event_invoke_config::delete_function_event_invoke_config,
        )
        .operation(op::delete_layer_version::ACCESS, op::delete_layer_version::delete_layer_version)
        .operation(
            op::delete_provisioned_concurrency_config::ACCESS,
            op::delete_provisioned_concurrency_config::delete_provisioned_concurrency_config,
        )
        .operation(op::get_account_settings::ACCESS, op::get_account_settings::get_account_settings)
        .operation(op::get_alias::ACCESS, op::get_alias::get_alias)
        .operation(op::get_code_signing_config::ACCESS, op::get_code_signing_config::get_code_signing_config)
        .operation(
            op::get_event_source_mapping::ACCESS,
            op::get_event_source_mapping::get_event_source_mapping,
        )
        .operation(op::get_function::ACCESS, op::get_function::get_function)
        .operation(
            op::get_function_code_signing_config::ACCESS,
            op::get_function_code_signing_config::get_function_code_signing_config,
        )
        .operation(
            op::get_function_concurrency::ACCESS,
            op::get_function_concurrency::get_function_concurrency,
        )
        .operation(
            op::get_function_configuration::ACCESS,
            op::get_function_configuration::get_function_configuration,
        )
        .operation(
            op::get_function_event_invoke_config::ACCESS,
            op::get_function_event_invoke_config::get_function_event_invoke_config,
        )
        .operation(
            op::get_function_recursion_config::ACCESS,
            op::get_function_recursion_config::get_function_recursion_config,
        )
        .operation(op::get_layer_version::ACCESS, op::get_layer_version::get_layer_version)
        .operation(
            op::get_layer_version_by_arn::ACCESS,
            op::get_layer_version_by_arn::get_layer_version_by_arn,
        )
        .operation(
            op::get_layer_version_policy::ACCESS,
            op::get_layer_version_policy::get_layer_version_policy,
        )
        .operation(op::get_policy::ACCESS, op::get_policy::get_policy)
        .operation(
            op::get_provisioned_concurrency_config::ACCESS,
            op::get_provisioned_concurrency_config::get_provisioned_concurrency_config,
        )
        .operation(
            op::get_runtime_management_config::ACCESS,
            op::get_runtime_management_config::get_runtime_management_config,
        )
        .operation(op::invoke::ACCESS, op::invoke::invoke)
        .operation(op::invoke_async::ACCESS, op::invoke_async::invoke_async)
        .operation(
            op::invoke_with_response_stream::ACCESS,
            op::invoke_with_response_stream::invoke_with_response_stream,
        )
        .operation(op::list_aliases::ACCESS, op::list_aliases::list_aliases)
        .operation(
            op::list_code_signing_configs::ACCESS,
            op::list_code_signing_configs::list_code_signing_configs,
        )
        .operation(
            op::list_event_source_mappings::ACCESS,
            op::list_event_source_mappings::list_event_source_mappings,
        )
        .operation(
            op::list_function_event_invoke_configs::ACCESS,
            op::list_function_event_invoke_configs::list_function_event_invoke_configs,
        )
        .operation(op::list_functions::ACCESS, op::list_functions::list_functions)
        .operation(
            op::list_functions_by_code_signing_config::ACCESS,
            op::list_functions_by_code_signing_config::list_functions_by_code_signing_config,
        )
        .operation(op::list_layer_versions::ACCESS, op::list_layer_versions::list_layer_versions)
        .operation(op::list_layers::ACCESS, op::list_layers::list_layers)
        .operation(
            op::list_provisioned_concurrency_configs::ACCESS,
            op::list_provisioned_concurrency_configs::list_provisioned_concurrency_configs,
        )
        .operation(op::list_tags::ACCESS, op::list_tags::list_tags)
        .operation(
            op::list_versions_by_function::ACCESS,
            op::list_versions_by_function::list_versions_by_function,
        )
        .operation(op::publish_layer_version::ACCESS, op::publish_layer_version::publish_layer_version)
        .operation(op::publish_version::ACCESS, op::publish_version::publish_version)
        .operation(
            op::put_function_code_signing_config::ACCESS,
            op::put_function_code_signing_config::put_function_code_signing_config,
        )
        .operation(
            op::put_function_concurrency::ACCESS,
            op::put_function_concurrency::put_function_concurrency,
        )
        .operation(
            op::put_function_event_invoke_config::ACCESS,
            op::put_function_event_invoke_config::put_function_event_invoke_config,
        )
        .operation(
            op::put_function_recursion_config::ACCESS,
            op::put_function_recursion_config::put_function_recursion_config,
        )
        .operation(
            op::put_provisioned_concurrency_config::ACCESS,
            op::put_provisioned_concurrency_config::put_provisioned_concurrency_config,
        )
        .operation(
            op::put_runtime_management_config::ACCESS,
            op::put_runtime_management_config::put_runtime_management_config,
        )
        .operation(
            op::remove_layer_version_permission::ACCESS,
            op::remove_layer_version_permission::remove_layer_version_permission,
        )
        .operation(op::remove_permission::ACCESS, op::remove_permission::remove_permission)
        .operation(op::tag_resource::ACCESS, op::tag_resource::tag_resource)
        .operation(op::untag_resource::ACCESS, op::untag_resource::untag_resource)
        .operation(op::update_alias::ACCESS, op::update_alias::update_alias)
        .operation(
            op::update_code_signing_config::ACCESS,
            op::update_code_signing_config::update_code_signing_config,
        )
        .operation(
            op::update_event_source_mapping::ACCESS,
            op::update_event_source_mapping::update_event_source_mapping,
        )
        .operation(op::update_function_code::ACCESS, op::update_function_code::update_function_code)
        .operation(
            op::update_function_configuration::ACCESS,
            op::update_function_configuration::update_function_configuration,
        )
        .operation(
            op::update_function_event_invoke_config::ACCESS,
            op::update_function_event_invoke_config::update_function_event_invoke_config,
        )
        .step(asynchronous::queue::STEP, asynchronous::attempt::attempt)
        .step(destinations::letter::STEP, destinations::deliver::deliver)
        .front(executions)
        .front(environments)
        .front(packages)
        .worker("readiness", keep_ready)
        .worker("executions", executions::journal::write)
        .worker("event source mappings", keep_mappings)
        .worker("provisioned concurrency", keep_provisioned)
        .build())
}

/// What of Lambda `apus fsck` looks at: contradictions between rows, and between rows and code packages.
pub fn check() -> impl Check {
    store::Contradictions
}

/// Every blob that a function's code is in: whoever sweeps blobs after a crash spares these.
pub async fn referenced_blobs(store: &Store) -> Result<BTreeSet<BlobId>, StoreError> {
    store::blob::referenced_blobs(store).await
}

impl Lambda {
    /// What a publication needs now.
    fn publication(&self, description: Option<String>, now: Timestamp) -> Publication {
        let description = description.filter(|text| !text.is_empty());
        Publication { description, revisions: [self.env.uuid_v4(), self.env.uuid_v4()], now }
    }

    /// Deletes a blob that no function refers to. A failure is nobody's: the sweep finds what is left.
    async fn delete_blob(&self, blob: BlobId) {
        if let Err(error) = self.store.blobs().delete(blob).await {
            tracing::warn!(%blob, %error, "a code package that no function has could not be deleted");
        }
    }
}
