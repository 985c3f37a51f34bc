//! Accepts connections on a listener and serves HTTP/1.1 on each, in the clear or over TLS, until told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::{CONNECTION, EXPECT};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::body::Leaving;
use crate::{Gateway, Listener};

/// The most connections that one listener holds open; further ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 10_000;
/// A client that has not sent its request's head by then is disconnected.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// After an accept failed for want of descriptors, the time until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Tells listeners to stop; those that hold a clone finish their connections first.
pub type Stop = watch::Receiver<bool>;

impl Gateway {
    /// Serves a socket until `stop` turns true, then lets open requests finish. Speaks TLS if the listener is secure.
    pub async fn serve(self: Arc<Self>, socket: TcpListener, listener: Arc<Listener>, mut stop: Stop) {
        let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        let env = self.platform().env().clone();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let listener = found(&listener, &stream, peer);
                    let connection =
                        serve_connection(Arc::clone(&self), stream, peer, listener, stop.clone());
                    env.spawn("connection", async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "could not accept a connection");
                    env.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Every place back means that every connection has ended.
        let _ended = places.acquire_many(CONNECTIONS_MAX as u32).await;
    }
}

/// The listener that a connection finds.
fn found(listener: &Arc<Listener>, stream: &TcpStream, peer: SocketAddr) -> Arc<Listener> {
    match &listener.guests {
        // Of whom nothing is known, the least is believed.
        Some(guests) if stream.local_addr().map_or(true, |own| (guests.includes)(own, peer)) => {
            Arc::clone(&guests.listener)
        }
        _ => Arc::clone(listener),
    }
}

/// Returns once the flag is up, or whoever could raise it is gone.
async fn stopped(stop: &mut Stop) {
    let _flag = stop.wait_for(|stopping| *stopping).await;
}

/// What carries HTTP: one kind for both, so that the protocol is compiled once.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn serve_connection(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    mut stop: Stop,
) {
    // Answers are small and latency counts; without this, Nagle holds them for the peer's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "could not set TCP_NODELAY");
    }
    let stream: Box<dyn Stream> = match &listener.tls {
        None => Box::new(stream),
        Some(tls) => {
            let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
            let shaken = tokio::select! {
                biased;
                shaken = gateway.platform().env().timeout(HEAD_TIMEOUT, handshake) => shaken,
                () = stopped(&mut stop) => return,
            };
            match shaken {
                Ok(Ok(stream)) => Box::new(stream),
                Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
                Err(_) => return debug!("a TLS handshake took too long"),
            }
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let (gateway, listener) = (Arc::clone(&gateway), Arc::clone(&listener));
        async move {
            let expects_continue = request.headers().contains_key(EXPECT);
            let (head, incoming) = request.into_parts();
            let (body, remainder) = crate::body::from_http(incoming);
            let request = Request::from_parts(head, body);
            let mut response = gateway.handle(&listener, Some(peer), request).await;
            if !remainder.read_out(expects_continue).await {
                // Said, so that no client sends its next request into a connection that ends.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<Response<Leaving>, Infallible>(response.map(Leaving::from))
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(true);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
