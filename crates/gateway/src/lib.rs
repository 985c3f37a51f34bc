//! From a socket to the platform's door: accept, recognise, verify, decode, call, encode.
//!
//! [`Gateway::handle`] is the list of what happens to a request, in order. This crate knows no rule of any
//! service; it refuses what it cannot verify.

mod body;
mod chain;
mod health;
mod hosts;
mod identity;
mod payload;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use apus_kernel::{Credentials, Platform};
use apus_wire::Router;
use apus_wire::sigv4::SigningKeys;

pub use health::Health;
pub use server::{CONNECTIONS_MAX, Stop};

/// What listens, and whom it believes: identity depends on the listener that a request arrived at.
pub struct Listener {
    /// Whose access keys are accepted here.
    pub credentials: Arc<dyn Credentials>,
    /// The URL that clients reach this listener at, without a trailing slash: links in answers begin with it.
    pub base_url: Arc<str>,
    /// Requests arrive over TLS, spoken so.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Who among those who connect is believed less.
    pub guests: Option<Guests>,
}

/// Those who connect to a listener and are believed less than others: functions that share the host's network.
pub struct Guests {
    /// Whether a connection is one of theirs: by our address, and by theirs.
    pub includes: Box<dyn Fn(SocketAddr, SocketAddr) -> bool + Send + Sync>,
    /// The listener that they find instead.
    pub listener: Arc<Listener>,
}

impl Listener {
    /// Requests arrive over TLS.
    fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

/// The way from bytes to the platform's door. One for all listeners.
pub struct Gateway {
    platform: Platform,
    router: Router,
    signing_keys: SigningKeys,
}

impl Gateway {
    /// A gateway to that platform's services.
    pub fn new(platform: Platform) -> Self {
        let services: Vec<_> = platform.services().collect();
        Self { platform, router: Router::new(&services), signing_keys: SigningKeys::default() }
    }

    /// The platform behind it.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }
}
