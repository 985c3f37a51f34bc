//! The bare relay: the shape of an invoke and nothing else. A client posts an event, a worker that long-polls takes
//! it and posts the response, the client gets it. Server and worker are processes of their own.
//!
//! It speaks just enough of the Runtime API's paths for the platform's own bootstrap to be a worker too.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use apus_env::Env;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::role::{RoleProcess, end_with_input};
use crate::runtime;

/// The first argument of the process that relays.
pub(crate) const SERVER_ROLE: &str = "relay";
/// The first argument of the process that works for it.
pub(crate) const WORKER_ROLE: &str = "relay-worker";
/// What the worker answers, and the measured function too.
pub(crate) use crate::runtime::RESPONSE;
/// The event.
pub(crate) const EVENT: &str = r#"{"name": "swift"}"#;

/// A running relay. Its processes end when dropped.
pub(crate) struct Relay {
    workers: Vec<Child>,
    server: RoleProcess,
}

impl Relay {
    /// Starts the server.
    pub(crate) async fn start(env: &Env) -> Result<Self, String> {
        let server = RoleProcess::start(env, &[SERVER_ROLE.as_ref()]).await?;
        Ok(Self { workers: Vec::new(), server })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.server.said
    }

    /// Starts one process with so many workers.
    pub(crate) fn add_workers(&mut self, count: usize) -> Result<(), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args([WORKER_ROLE, self.address(), &count.to_string()]);
        self.add(&mut command)
    }

    /// Starts a worker of another kind.
    pub(crate) fn add(&mut self, command: &mut Command) -> Result<(), String> {
        let child = command.stdin(Stdio::null()).spawn();
        self.workers.push(child.map_err(|error| format!("a worker could not be started: {error}"))?);
        Ok(())
    }

    /// The request that goes through the relay.
    pub(crate) fn request(&self) -> Vec<u8> {
        let head = format!("POST /invoke HTTP/1.1\r\nhost: {}\r\n", self.address());
        format!("{head}content-length: {}\r\n\r\n{EVENT}", EVENT.len()).into_bytes()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for child in &mut self.workers {
            // Both fail only if it is gone already.
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

struct Job {
    id: u64,
    event: Bytes,
}

#[derive(Default)]
struct Exchange {
    last_id: u64,
    /// Workers that wait for an event, and events that wait for a worker: never both.
    idle: VecDeque<oneshot::Sender<Job>>,
    backlog: VecDeque<Job>,
    pending: BTreeMap<u64, oneshot::Sender<Bytes>>,
}

impl Exchange {
    fn submit(&mut self, event: Bytes) -> oneshot::Receiver<Bytes> {
        let (sender, response) = oneshot::channel();
        self.last_id += 1;
        self.pending.insert(self.last_id, sender);
        let mut job = Job { id: self.last_id, event };
        while let Some(worker) = self.idle.pop_front() {
            match worker.send(job) {
                Ok(()) => return response,
                Err(back) => job = back,
            }
        }
        self.backlog.push_back(job);
        response
    }

    fn next(&mut self) -> oneshot::Receiver<Job> {
        let (sender, job) = oneshot::channel();
        match self.backlog.pop_front() {
            // Its receiver is in our hands.
            Some(waiting) => drop(sender.send(waiting)),
            None => self.idle.push_back(sender),
        }
        job
    }
}

/// The process that relays: prints where, then serves until its input ends.
pub(crate) async fn serve(env: &Env) -> Result<(), String> {
    end_with_input(env);
    let failed = |error: std::io::Error| format!("the relay could not listen: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    println!("{}", listener.local_addr().map_err(failed)?);
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    loop {
        let (stream, _) = listener.accept().await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let exchange = Arc::clone(&exchange);
        let _detached = env.spawn("relay", async move {
            let service = service_fn(move |request| answer(Arc::clone(&exchange), request));
            // A connection's end is its client's business.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    exchange: Arc<Mutex<Exchange>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let lock = || exchange.lock().unwrap_or_else(PoisonError::into_inner);
    if path.ends_with("/invocation/next") {
        let job = lock().next();
        let Ok(Job { id, event }) = job.await else { return Ok(status(StatusCode::GONE)) };
        let mut response = Response::new(Full::new(event));
        response.headers_mut().insert("lambda-runtime-aws-request-id", id.into());
        return Ok(response);
    }
    let Ok(body) = request.into_body().collect().await else { return Ok(status(StatusCode::BAD_REQUEST)) };
    let body = body.to_bytes();
    if path == "/invoke" {
        let response = lock().submit(body);
        return Ok(match response.await {
            Ok(response) => Response::new(Full::new(response)),
            Err(_) => status(StatusCode::BAD_GATEWAY),
        });
    }
    let id = path.strip_suffix("/response").and_then(|path| path.rsplit('/').next()?.parse::<u64>().ok());
    let waiting = id.and_then(|id| lock().pending.remove(&id));
    Ok(match waiting {
        Some(client) => {
            // A client that went away needs no answer.
            let _gone = client.send(body);
            status(StatusCode::ACCEPTED)
        }
        None => status(StatusCode::NOT_FOUND),
    })
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code;
    response
}

/// The process of workers: each on a thread of its own, until the relay is gone.
pub(crate) async fn work(env: &Env, address: &str, count: &str) -> Result<(), String> {
    let count: usize = count.parse().map_err(|_| format!("no count of workers: {count:?}"))?;
    let mut workers = Vec::new();
    for _ in 0..count {
        let address = address.to_owned();
        workers.push(env.spawn_thread("worker", async move {
            // It ends with the relay.
            let _ended = work_alone(&address);
        }));
    }
    for worker in workers {
        worker.join().await.map_err(|_| "a worker ended in a panic")?;
    }
    Ok(())
}

fn work_alone(address: &str) -> std::io::Result<()> {
    runtime::serve(address, |_| RESPONSE.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_meets_the_worker_that_waits_whoever_came_first() {
        let mut exchange = Exchange::default();
        let mut worker = exchange.next();
        drop(exchange.next());
        let mut first = exchange.submit(Bytes::from_static(b"a"));
        let job = worker.try_recv().expect("the worker that waited");
        assert_eq!((job.id, &job.event[..]), (1, &b"a"[..]));
        // The worker that went away is passed over.
        let _second = exchange.submit(Bytes::from_static(b"b"));
        let job = exchange.next().try_recv().expect("the event that waited");
        assert_eq!((job.id, &job.event[..]), (2, &b"b"[..]));
        assert!(exchange.pending.remove(&1).expect("it is open").send(Bytes::from_static(b"x")).is_ok());
        assert_eq!(&first.try_recv().expect("answered")[..], b"x");
    }
}
