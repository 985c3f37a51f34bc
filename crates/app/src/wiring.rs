//! Which services there are, and what each is given. Adding a service is a line in [`services`].

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use apus_authority::ServerConfig;
use apus_compute::Compute;
use apus_env::Env;
use apus_gateway::{Gateway, Health};
use apus_kernel::{HttpFront, Lease, Outbox, Platform, Service};
use apus_service_iam::Mode;
use apus_service_lambda::LambdaConfig;
use apus_service_sts::{DevelopmentCredentials, InstanceKey, SessionCredentials};
use apus_store::{Key, Keyspace, Store, StoreError};

use crate::endpoint::{Inside, SandboxEndpoint};
use crate::function_logs::FunctionLogs;
use crate::http_endpoints::HttpEndpoints;
use crate::letters::LetterDir;

/// What an instance stands on.
#[derive(Clone)]
pub struct Foundation {
    /// Time, chance and spawning.
    pub env: Env,
    /// Where the state lives.
    pub store: Store,
    /// What runs functions.
    pub compute: Compute,
    /// How functions are kept.
    pub lambda: LambdaConfig,
    /// Whether permissions are enforced.
    pub iam: Mode,
    /// The secret of the accounts' root keys.
    pub root_secret: String,
    /// The URL that clients and functions reach the instance at, without a trailing slash.
    pub base_url: String,
    /// Where mails and text messages are kept for people to read.
    pub letter_dir: PathBuf,
    /// How sandboxes are served TLS, if they are.
    pub inside_tls: Option<InsideTls>,
}

/// TLS inside sandboxes.
#[derive(Clone)]
pub struct InsideTls {
    /// Which names it is spoken for, and with which certificates.
    pub config: Arc<ServerConfig>,
    /// Whether the endpoint speaks it too, and not only the port of HTTPS.
    pub at_endpoint: bool,
}

/// An instance, wired and running.
pub struct Instance {
    /// From sockets to the door.
    pub gateway: Arc<Gateway>,
    /// The door.
    pub platform: Platform,
    /// Whom a development listener believes.
    pub development: Arc<DevelopmentCredentials>,
    /// Whom a listener believes that functions reach.
    pub sessions: SessionCredentials,
    /// What is to be called later.
    pub outbox: Outbox,
    compute: Compute,
    store: Store,
    function_logs: Arc<FunctionLogs>,
}

/// Wires an instance and starts it.
pub async fn start(foundation: Foundation) -> Result<Instance, StartError> {
    start_under(foundation, |lease| lease).await
}

/// As [`start`], under the lease that `hold` makes of the instance's own: simulations plant their bugs here.
pub async fn start_under(
    foundation: Foundation,
    hold: impl FnOnce(Lease) -> Lease,
) -> Result<Instance, StartError> {
    let Owned { lease, key, endpoint } = own(&foundation).await?;
    let lease = hold(lease);
    let outbox = Outbox::new(foundation.env.clone(), foundation.store.clone(), lease.clone());
    let function_logs = Arc::new(FunctionLogs::new(foundation.env.clone()));
    let services = services(&foundation, &lease, &outbox, &key, &endpoint, &function_logs)?;
    let Foundation { env, store, compute, iam, base_url, inside_tls, root_secret, .. } = foundation;
    let fronts: Vec<Arc<dyn HttpFront>> = vec![Arc::new(Health { version: env!("CARGO_PKG_VERSION") })];
    let authorizer = apus_service_iam::authorizer(store.clone(), iam);
    let platform = Platform::start(env.clone(), services, fronts, authorizer);
    platform.spawn_worker("outbox", outbox.clone().dispatch(platform.clone()));
    let gateway = Arc::new(Gateway::new(platform.clone()));
    let sessions = SessionCredentials::new(&key, env);
    platform.spawn_worker("function logs", function_logs.write(platform.clone(), sessions.clone()));
    endpoint.open(Inside {
        gateway: Arc::clone(&gateway),
        sessions: sessions.clone(),
        base_url: base_url.into(),
        tls: inside_tls,
    });
    let development = Arc::new(DevelopmentCredentials::new(sessions.clone(), root_secret));
    Ok(Instance { gateway, platform, development, sessions, outbox, compute, store, function_logs })
}

impl Instance {
    /// Ends the background steps and every sandbox, and lets the state go.
    pub async fn stop(self) {
        self.platform.stop();
        self.compute.stop().await;
        self.function_logs.flush(&self.platform, &self.sessions).await;
        self.store.close().await;
    }
}

/// The services of a store that nothing is done with: for listing what they implement.
pub async fn inventory(foundation: &Foundation) -> Result<Vec<Service>, StartError> {
    let Owned { lease, key, endpoint } = own(foundation).await?;
    let outbox = Outbox::new(foundation.env.clone(), foundation.store.clone(), lease.clone());
    let function_logs = Arc::new(FunctionLogs::new(foundation.env.clone()));
    services(foundation, &lease, &outbox, &key, &endpoint, &function_logs)
}

/// Every service, with what it stands on.
fn services(
    on: &Foundation,
    lease: &Lease,
    outbox: &Outbox,
    key: &InstanceKey,
    endpoint: &Arc<SandboxEndpoint>,
    function_logs: &Arc<FunctionLogs>,
) -> Result<Vec<Service>, StartError> {
    let (env, store) = (&on.env, &on.store);
    let lambda = apus_service_lambda::service(apus_service_lambda::Foundation {
        env: env.clone(),
        store: store.clone(),
        outbox: outbox.clone(),
        compute: on.compute.clone(),
        endpoints: Arc::clone(endpoint) as Arc<_>,
        logs: Arc::clone(function_logs) as Arc<_>,
        config: on.lambda.clone(),
    });
    let sns = apus_service_sns::service(apus_service_sns::Foundation {
        env: env.clone(),
        store: store.clone(),
        lease: lease.clone(),
        outbox: outbox.clone(),
        endpoints: Arc::new(HttpEndpoints::new(env.clone())),
        letters: Arc::new(LetterDir::new(env.clone(), on.letter_dir.clone())),
        base_url: on.base_url.clone(),
    });
    Ok(vec![
        apus_service_iam::service(env.clone(), store.clone()),
        lambda.map_err(|error| StartError(format!("{}: {error}", on.lambda.code_dir.display())))?,
        apus_service_logs::service(env.clone(), store.clone(), lease.clone(), outbox.clone()),
        apus_service_s3::service(store.clone()),
        sns,
        apus_service_sqs::service(env.clone(), store.clone(), lease.clone()),
        apus_service_sts::service(key),
    ])
}

/// What an instance owns of its store.
struct Owned {
    lease: Lease,
    key: InstanceKey,
    endpoint: Arc<SandboxEndpoint>,
}

async fn own(on: &Foundation) -> Result<Owned, StoreError> {
    Ok(Owned {
        lease: Lease::acquire(&on.store, lease_key()).await?,
        key: InstanceKey::load_or_create(&on.store, &on.env).await?,
        endpoint: Arc::new(SandboxEndpoint::new(on.env.clone(), OnceLock::new())),
    })
}

/// Who owns every lane of this instance.
fn lease_key() -> Key {
    Keyspace::global("instance", "lease").key(("lanes",))
}

/// Why an instance did not start, in a line for people.
#[derive(Debug)]
pub struct StartError(pub String);

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}
