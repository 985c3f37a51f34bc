//! Lambda: functions and their invocation. Purpose, key layout, invariants and deviations stand in the README.
//!
//! [`service`] is the registration table: read it first. How a function runs is `apus-compute`'s business;
//! this crate says what runs, as whom, and what the caller is told.

mod client_context;
mod code;
mod code_source;
mod concurrency;
mod describe;
mod environment;
mod errors;
mod function_name;
mod limits;
mod operations;
mod ports;
mod resolve;
mod role_sessions;
mod settings;
mod store;
mod variables;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use apus_compute::Compute;
use apus_env::Env;
use apus_kernel::Service;
use apus_model_lambda::SERVICE;
use apus_store::{BlobId, Store, StoreError};

pub use crate::ports::{EndpointServer, LogSink};

use crate::code::cache::CodeCache;
use crate::operations::{
    create_function, delete_function, delete_function_concurrency, get_function, get_function_concurrency,
    get_function_configuration, invoke, list_functions, put_function_concurrency,
};
use crate::role_sessions::RoleSessions;

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
}

impl LambdaConfig {
    /// How much unpacked code is kept unless told otherwise: 2 GiB.
    pub const CODE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

    /// The usual choices.
    pub fn new(code_dir: impl Into<PathBuf>, endpoint_url: impl Into<String>) -> Self {
        Self {
            code_dir: code_dir.into(),
            code_bytes_max: Self::CODE_BYTES_MAX,
            endpoint_url: endpoint_url.into(),
        }
    }
}

/// What every operation is passed.
pub(crate) struct Lambda {
    env: Env,
    store: Store,
    compute: Compute,
    code: CodeCache,
    sessions: RoleSessions,
    endpoints: Arc<dyn EndpointServer>,
    logs: Arc<dyn LogSink>,
    endpoint_url: String,
}

/// The service on that store, running functions on `compute`. Fails if the directory for code cannot be used.
pub fn service(
    env: Env,
    store: Store,
    compute: Compute,
    endpoints: Arc<dyn EndpointServer>,
    logs: Arc<dyn LogSink>,
    config: LambdaConfig,
) -> io::Result<Service> {
    let code = CodeCache::open(env.clone(), &config.code_dir, config.code_bytes_max)?;
    let sessions = RoleSessions::default();
    let endpoint_url = config.endpoint_url;
    let lambda = Lambda { env, store, compute, code, sessions, endpoints, logs, endpoint_url };
    Ok(Service::of(&SERVICE, lambda)
        .operation(create_function::ACCESS, create_function::create_function)
        .operation(delete_function::ACCESS, delete_function::delete_function)
        .operation(
            delete_function_concurrency::ACCESS,
            delete_function_concurrency::delete_function_concurrency,
        )
        .operation(get_function::ACCESS, get_function::get_function)
        .operation(get_function_concurrency::ACCESS, get_function_concurrency::get_function_concurrency)
        .operation(get_function_configuration::ACCESS, get_function_configuration::get_function_configuration)
        .operation(invoke::ACCESS, invoke::invoke)
        .operation(list_functions::ACCESS, list_functions::list_functions)
        .operation(put_function_concurrency::ACCESS, put_function_concurrency::put_function_concurrency)
        .build())
}

/// Every blob that a function's code is in: whoever sweeps blobs after a crash spares these.
pub async fn referenced_blobs(store: &Store) -> Result<BTreeSet<BlobId>, StoreError> {
    store::blob::referenced_blobs(store).await
}

impl Lambda {
    /// Deletes a blob that no function refers to. A failure is nobody's: the sweep finds what is left.
    async fn delete_blob(&self, blob: BlobId) {
        if let Err(error) = self.store.blobs().delete(blob).await {
            tracing::warn!(%blob, %error, "a code package that no function has could not be deleted");
        }
    }
}
