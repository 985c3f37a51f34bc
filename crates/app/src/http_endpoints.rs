//! Posts to HTTP endpoints outside, for SNS: a connection for each, within a time, and no more than the status of the
//! answer is read. Link-local addresses, where machines keep their metadata, are refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use apus_env::Env;
use apus_kernel::BoxFuture;
use apus_service_sns::{Endpoints, Post};
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// An endpoint has so long to answer, as SNS has it.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Posts over the host's network.
#[derive(Clone)]
pub(crate) struct HttpEndpoints {
    env: Env,
    /// What is trusted as the host trusts it, read when first needed.
    trust: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl HttpEndpoints {
    pub(crate) fn new(env: Env) -> Self {
        Self { env, trust: Arc::default() }
    }
}

impl Endpoints for HttpEndpoints {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<u16, String>> {
        let own = self.clone();
        Box::pin(async move {
            match own.env.timeout(ANSWER_MAX, own.send(post)).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(format!("no answer within {} seconds", ANSWER_MAX.as_secs())),
            }
        })
    }
}

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl HttpEndpoints {
    async fn send(&self, post: Post) -> Result<u16, String> {
        let uri: Uri = post.url.parse().map_err(|error| format!("{}: {error}", post.url))?;
        let stream = self.connect(&uri).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let connection = self.env.spawn("endpoint connection", async move {
            // What goes wrong with it, the request says.
            let _ended = connection.await;
        });
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut request = Request::post(path);
        if let Some(authority) = uri.authority() {
            let own = authority.as_str();
            request = request.header(HOST, own.rsplit_once('@').map_or(own, |(_, host)| host));
        }
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(post.body))).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await;
        connection.abort();
        answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Stream>, String> {
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let authority: &Authority = uri.authority().ok_or_else(|| format!("{uri} names no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let failed = |error: &dyn std::fmt::Display| format!("could not connect to {host}: {error}");
        let addresses: Vec<SocketAddr> =
            lookup_host((host, port)).await.map_err(|error| failed(&error))?.collect();
        if addresses.iter().any(|address| is_link_local(address.ip())) {
            return Err(failed(&"a link-local address is no endpoint"));
        }
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|error| failed(&error))?;
        if !is_secure {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let trust = self.trust.get_or_init(trust).clone().map_err(|error| failed(&error))?;
        let stream = TlsConnector::from(trust).connect(name, stream).await.map_err(|error| failed(&error))?;
        Ok(Box::new(stream))
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The authorities that this host trusts: those of `SSL_CERT_FILE`, or its system's.
fn trust() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this host trusts no certificate authority; install its package ca-certificates".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_endpoint_is_posted_to_and_its_status_is_told() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime starts").block_on(async {
            let env = Env::real();
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let server = env.spawn("server", async move {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut got = vec![0; 4_096];
                let mut length = 0;
                while !got[..length].ends_with(b"hello") {
                    length += stream.read(&mut got[length..]).await.expect("it reads");
                }
                let text = String::from_utf8_lossy(&got[..length]).into_owned();
                assert!(text.starts_with("POST /hook?a=1 HTTP/1.1"), "{text}");
                assert!(text.contains("x-amz-sns-message-type: Notification"), "{text}");
                stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await.expect("it writes");
            });
            let endpoints = HttpEndpoints::new(env.clone());
            let post = |url: String| {
                let headers = vec![("x-amz-sns-message-type", "Notification".to_owned())];
                endpoints.post(Post { url, headers, body: "hello".into() })
            };
            assert_eq!(post(format!("http://{address}/hook?a=1")).await, Ok(503));
            assert_eq!(server.join().await, Ok(()));
            assert!(post(format!("http://{address}/")).await.is_err(), "nobody listens any more");
            assert!(post("nonsense".into()).await.is_err());
            for url in
                ["http://169.254.169.254/latest", "https://[fe80::1]/", "http://[::ffff:169.254.169.254]/"]
            {
                let refused = post(url.into()).await;
                assert!(refused.as_ref().is_err_and(|why| why.contains("link-local")), "{url}: {refused:?}");
            }
        });
    }
}
