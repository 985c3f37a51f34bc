//! Which services there are, and what each is given. Adding a service is a line in [`services`].

use std::sync::Arc;

use apus_env::Env;
use apus_gateway::Health;
use apus_kernel::{HttpFront, Lease, Outbox, Platform, Service};
use apus_service_iam::Mode;
use apus_service_sts::{DevelopmentCredentials, InstanceKey, SessionCredentials};
use apus_store::{Key, Keyspace, Store, StoreError};

/// What an instance stands on.
#[derive(Clone)]
pub struct Foundation {
    /// Time, chance and spawning.
    pub env: Env,
    /// Where the state lives.
    pub store: Store,
    /// Whether permissions are enforced.
    pub iam: Mode,
}

/// An instance, wired and running.
pub struct Instance {
    /// The door.
    pub platform: Platform,
    /// Whom a development listener believes.
    pub development: DevelopmentCredentials,
    /// Whom a sandbox's listener believes, once it is told which session is the sandbox's.
    pub sessions: SessionCredentials,
    /// What is to be called later.
    pub outbox: Outbox,
}

/// Wires an instance and starts it.
pub async fn start(foundation: Foundation) -> Result<Instance, StoreError> {
    let Foundation { env, store, iam } = foundation;
    let lease = Lease::acquire(&store, lease_key()).await?;
    let key = InstanceKey::load_or_create(&store, &env).await?;
    let outbox = Outbox::new(env.clone(), store.clone(), lease.clone());
    let fronts: Vec<Arc<dyn HttpFront>> = vec![Arc::new(Health { version: env!("CARGO_PKG_VERSION") })];
    let authorizer = apus_service_iam::authorizer(store.clone(), iam);
    let platform = Platform::start(env.clone(), services(&env, &store, &lease, &key), fronts, authorizer);
    platform.spawn_worker("outbox", outbox.clone().dispatch(platform.clone()));
    let sessions = SessionCredentials::new(&key, env);
    let development = DevelopmentCredentials::new(sessions.clone());
    Ok(Instance { platform, development, sessions, outbox })
}

/// The services of a store that nothing is done with: for listing what they implement.
pub async fn inventory(env: &Env, store: &Store) -> Result<Vec<Service>, StoreError> {
    let lease = Lease::acquire(store, lease_key()).await?;
    let key = InstanceKey::load_or_create(store, env).await?;
    Ok(services(env, store, &lease, &key))
}

/// Who owns every lane of this instance.
fn lease_key() -> Key {
    Keyspace::global("instance", "lease").key(("lanes",))
}

/// Every service, with what it stands on.
fn services(env: &Env, store: &Store, lease: &Lease, key: &InstanceKey) -> Vec<Service> {
    vec![
        apus_service_iam::service(env.clone(), store.clone()),
        apus_service_sqs::service(env.clone(), store.clone(), lease.clone()),
        apus_service_sts::service(key),
    ]
}
