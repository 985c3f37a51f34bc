//! The platform's endpoint inside sandboxes: the same gateway, at a listener that believes one role session only.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use apus_authority::ServerConfig;
use apus_compute::InsideListeners;
use apus_env::Env;
use apus_gateway::{Gateway, Listener};
use apus_service_lambda::EndpointServer;
use apus_service_sts::{EnvironmentCredentials, SessionCredentials};
use tracing::error;

use crate::wiring::InsideTls;

/// Serves what arrives from inside sandboxes, once the gateway stands.
pub(crate) struct SandboxEndpoint {
    env: Env,
    inside: OnceLock<Inside>,
}

/// What serves the inside.
pub(crate) struct Inside {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) sessions: SessionCredentials,
    /// The public URL: a URL that is presigned or handed out inside works outside.
    pub(crate) base_url: Arc<str>,
    pub(crate) tls: Option<InsideTls>,
}

impl SandboxEndpoint {
    pub(crate) fn new(env: Env, inside: OnceLock<Inside>) -> Self {
        Self { env, inside }
    }

    /// The gateway stands.
    pub(crate) fn open(&self, inside: Inside) {
        let first = self.inside.set(inside).is_ok();
        assert!(first, "an instance is wired once");
    }
}

impl EndpointServer for SandboxEndpoint {
    fn serve(&self, sandbox: InsideListeners, access_key: &str) {
        let Some(inside) = self.inside.get() else {
            error!("an environment started before the gateway stood");
            return;
        };
        let credentials = Arc::new(EnvironmentCredentials::new(inside.sessions.clone(), access_key));
        let serve = |socket: TcpListener, tls: Option<Arc<ServerConfig>>| {
            let socket = match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(error) => return error!(%error, "the endpoint inside a sandbox could not be served"),
            };
            let base_url = Arc::clone(&inside.base_url);
            let listener =
                Arc::new(Listener { credentials: credentials.clone(), base_url, tls, guests: None });
            let serving = Arc::clone(&inside.gateway).serve(socket, listener, sandbox.ended.clone());
            self.env.spawn("sandbox endpoint", serving);
        };
        let tls = inside.tls.as_ref();
        serve(sandbox.endpoint, tls.filter(|tls| tls.at_endpoint).map(|tls| Arc::clone(&tls.config)));
        if let Some(tls) = tls {
            serve(sandbox.secure, Some(Arc::clone(&tls.config)));
        }
    }
}
