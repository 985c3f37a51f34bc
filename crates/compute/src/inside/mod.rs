//! The APIs inside a sandbox, as HTTP on its own listener: they translate between requests and the [`Exchange`] or the
//! [`Telemetry`], and decide nothing. Which environment a request concerns is which listener it came to.

mod extensions;
mod reply;
mod runtime;
mod telemetry;

use std::convert::Infallible;
use std::sync::Arc;

use apus_env::Env;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::reply::{Reply, wrong_path};
use crate::exchange::Exchange;
use crate::output::EnvironmentLog;
use crate::telemetry::Telemetry;
use crate::telemetry::subscription::Api;

/// Connections at once from one sandbox: a runtime needs one, extensions some.
const CONNECTIONS_MAX: usize = 64;

/// What processes inside can reach.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) env: Env,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) log: Arc<EnvironmentLog>,
    pub(crate) function: Arc<FunctionFacts>,
}

/// What extensions are told of the function.
#[derive(Clone, Debug)]
pub(crate) struct FunctionFacts {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) handler: String,
    pub(crate) account: String,
}

/// Whether a connection was opened by that user.
#[cfg(target_os = "linux")]
fn is_of(stream: &tokio::net::TcpStream, user: Option<u32>) -> bool {
    let Some(user) = user else { return true };
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(own), Ok(peer)) => crate::peers::peer(own, peer) == crate::peers::Peer::User(user),
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_of(_stream: &tokio::net::TcpStream, user: Option<u32>) -> bool {
    user.is_none()
}

/// Serves one environment until it ends. Where others reach the listener too, only processes of `user` are served.
pub(crate) async fn serve(env: Env, listener: TcpListener, inside: Inside, user: Option<u32>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if !is_of(&stream, user) => continue,
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a sandbox's runtime cannot connect: {error}");
                    return;
                }
            },
            () = inside.exchange.closed() => return,
        };
        // Small answers go out at once; a socket that will not have it so still works.
        let _ = stream.set_nodelay(true);
        let inside = inside.clone();
        env.spawn("runtime api connection", async move {
            let _place = place;
            let service = service_fn(|request| {
                let inside = inside.clone();
                async move { Ok::<_, Infallible>(route(&inside, request).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            // As AWS writes them: shell scripts look for them so.
            server.title_case_headers(true);
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A runtime that hangs up has ended or will connect again.
                _ = connection => {}
                () = inside.exchange.closed() => {}
            }
        });
    }
}

async fn route(inside: &Inside, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    if let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") {
        runtime::route(&inside.exchange, rest, request).await
    } else if let Some(rest) = path.strip_prefix("/2020-01-01/extension/") {
        extensions::route(inside, rest, request).await
    } else {
        match path.trim_end_matches('/') {
            "/2022-07-01/telemetry" => telemetry::route(inside, Api::Telemetry, request).await,
            "/2020-08-15/logs" => telemetry::route(inside, Api::Logs, request).await,
            _ => wrong_path(),
        }
    }
}
