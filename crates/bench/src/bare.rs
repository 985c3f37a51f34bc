//! The bare server: what an HTTP server does at least for a send, and nothing else. It reads a request whole and answers
//! as long as the platform does; if it is to store something, it commits as many bytes as a send writes before that.
//!
//! Signatures, policies and queues it does not know: what it reaches is what they could reach if they cost nothing.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apus_env::Env;
use apus_store::{Key, Store, StoreError};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::role::{RoleProcess, end_with_input};

/// The first argument of the process; a directory and a number of bytes after it have it store something.
pub(crate) const ROLE: &str = "bare";

/// What the platform answers to a send, in form and length; which message it was nobody asks.
const ANSWER: &str = r#"{"MD5OfMessageBody":"00112233445566778899aabbccddeeff","MessageId":"00000000-0000-4000-8000-000000000000"}"#;
const ANSWER_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const REQUEST_ID: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-amzn-requestid"),
    HeaderValue::from_static("00000000-0000-4000-8000-000000000000"),
);
/// The platform's own.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A running bare server. Its process ends when dropped.
pub(crate) struct Bare(RoleProcess);

impl Bare {
    /// One that stores nothing.
    pub(crate) async fn start(env: &Env) -> Result<Self, String> {
        Ok(Self(RoleProcess::start(env, &[ROLE.as_ref()]).await?))
    }

    /// One that commits so many bytes, of key and value, to a store in that directory before each answer.
    pub(crate) async fn start_committing(env: &Env, dir: &Path, bytes: usize) -> Result<Self, String> {
        let bytes = bytes.to_string();
        Ok(Self(RoleProcess::start(env, &[ROLE.as_ref(), dir.as_os_str(), bytes.as_ref()]).await?))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.0.said
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// What each request commits.
struct Commits {
    store: Store,
    bytes: usize,
    next: AtomicU64,
}

impl Commits {
    fn new(store: Store, bytes: usize) -> Self {
        Self { store, bytes, next: AtomicU64::new(0) }
    }

    async fn one(&self) -> Result<(), String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        commit(&self.store, &Key::of(("bench", number)), self.bytes).await
    }
}

/// Makes a key and a value durable that are so long together.
pub(crate) async fn commit(store: &Store, key: &Key, bytes: usize) -> Result<(), String> {
    let value = vec![b'x'; bytes.saturating_sub(key.as_bytes().len())];
    let done = store.transact(|tx| {
        tx.put(key, value.clone());
        async { Ok::<_, StoreError>(()) }
    });
    done.await.map_err(|error| error.to_string())
}

/// The process that stores nothing: prints where it is, then serves until its input ends.
pub(crate) async fn serve(env: &Env) -> Result<(), String> {
    listen(env, None).await
}

/// The process that commits so many bytes to a store in that directory before each answer.
pub(crate) async fn serve_committing(env: &Env, dir: &str, bytes: &str) -> Result<(), String> {
    let bytes = bytes.parse().map_err(|_| format!("no number of bytes: {bytes:?}"))?;
    let store = Store::open_dir(env, dir).map_err(|error| error.to_string())?;
    listen(env, Some(Commits::new(store, bytes))).await
}

async fn listen(env: &Env, commits: Option<Commits>) -> Result<(), String> {
    end_with_input(env);
    let failed = |error: std::io::Error| format!("the bare server could not listen: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    println!("{}", listener.local_addr().map_err(failed)?);
    accept(env, &listener, Arc::new(commits)).await.map_err(failed)
}

/// Serves connections as the platform does, with the same options.
async fn accept(env: &Env, listener: &TcpListener, commits: Arc<Option<Commits>>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let commits = Arc::clone(&commits);
        let _detached = env.spawn("bare", async move {
            let service = service_fn(move |request| answer(Arc::clone(&commits), request));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(true);
            // A connection's end is its client's business.
            let _ended = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    commits: Arc<Option<Commits>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.into_body().collect().await.is_err() {
        return Ok(problem(StatusCode::BAD_REQUEST, "the body does not end"));
    }
    if let Some(commits) = commits.as_ref()
        && let Err(error) = commits.one().await
    {
        return Ok(problem(StatusCode::INTERNAL_SERVER_ERROR, error));
    }
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    let (name, id) = REQUEST_ID;
    response.headers_mut().insert(CONTENT_TYPE, ANSWER_TYPE);
    response.headers_mut().insert(name, id);
    Ok(response)
}

fn problem(code: StatusCode, what: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(what.into()));
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    use apus_store::disk::{Crash, Disk, Loss, SimDisk};
    use apus_store::{Direction, Options, Range};

    use super::*;
    use crate::client::Connection;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nhost: bare\r\ncontent-length: 5\r\n\r\nhello";
    const BYTES: usize = 400;

    fn in_runtime<F: Future>(body: impl FnOnce(Env) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime starts").block_on(async { body(Env::real()).await })
    }

    /// Starts a server in this process, and has it answer so many requests on one connection.
    async fn ask(env: &Env, commits: Option<Commits>, requests: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (clock, commits) = (env.clone(), Arc::new(commits));
        let server = env.spawn("bare server", async move {
            let _ended = accept(&clock, &listener, commits).await;
        });
        let mut connection = Connection::open(&address).await.expect("it listens");
        for _ in 0..requests {
            let answer = connection.exchange(REQUEST).await.expect("an answer");
            assert_eq!(answer.ok().as_deref(), Ok(ANSWER.as_bytes()));
        }
        server.abort();
    }

    #[test]
    fn the_bare_server_answers_each_request_of_a_connection() {
        in_runtime(|env| async move { ask(&env, None, 3).await });
    }

    #[test]
    fn what_was_answered_outlives_a_loss_of_power_in_as_many_bytes() {
        const REQUESTS: usize = 3;
        in_runtime(|env| async move {
            let power = SimDisk::new(1);
            let disk: Arc<dyn Disk> = Arc::new(power.clone());
            let store = Store::open(&env, &disk, &Options::default()).expect("opens");
            ask(&env, Some(Commits::new(store, BYTES)), REQUESTS).await;
            power.crash(Crash::Worst(Loss::Everything));
            let store = Store::open(&env, &disk, &Options::default()).expect("opens again");
            let found = store
                .read(|tx| async move { tx.range(&Range::all(), REQUESTS + 1, Direction::Forward).await })
                .await;
            let sizes: Vec<usize> = found
                .expect("readable")
                .iter()
                .map(|(key, value)| key.as_bytes().len() + value.len())
                .collect();
            assert_eq!(sizes, [BYTES; REQUESTS]);
        });
    }
}
