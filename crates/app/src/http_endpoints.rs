//! Posts to HTTP endpoints outside, for SNS: a connection for each, within a time, and no more than the status of the
//! answer is read.

use std::time::Duration;

use apus_env::Env;
use apus_kernel::BoxFuture;
use apus_service_sns::{Endpoints, Post};
use http::Request;
use http::header::HOST;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An endpoint has so long to answer, as SNS has it.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Posts over the host's network.
pub(crate) struct HttpEndpoints {
    env: Env,
}

impl HttpEndpoints {
    pub(crate) fn new(env: Env) -> Self {
        Self { env }
    }
}

impl Endpoints for HttpEndpoints {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<u16, String>> {
        let env = self.env.clone();
        Box::pin(async move {
            match env.timeout(ANSWER_MAX, send(&env, post)).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(format!("no answer within {} seconds", ANSWER_MAX.as_secs())),
            }
        })
    }
}

async fn send(env: &Env, post: Post) -> Result<u16, String> {
    let uri: http::Uri = post.url.parse().map_err(|error| format!("{}: {error}", post.url))?;
    let host = uri.host().ok_or_else(|| format!("{} names no host", post.url))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, uri.port_u16().unwrap_or(80))).await;
    let stream = stream.map_err(|error| format!("could not connect to {host}: {error}"))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = env.spawn("endpoint connection", async move {
        // What goes wrong with it, the request says.
        let _ended = connection.await;
    });
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let mut request = Request::post(path).header(HOST, authority);
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(post.body))).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await;
    connection.abort();
    answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
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
        });
    }
}
