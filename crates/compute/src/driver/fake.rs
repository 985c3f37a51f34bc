//! A driver without processes: a closure answers each invocation. For simulations: no threads, no sockets,
//! and no time but the environment's.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_env::Env;
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{BoxFuture, Driver, Ends, Exit, Level, ProgramEnd, Sandbox, SandboxSpec, StartError, Wiring};
use crate::exchange::{Answer, Exchange, Fault, Invocation};
use crate::output::OutputSink;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// What a simulated function does with one invocation.
#[derive(Clone, Debug)]
pub struct FakeReply {
    /// How long it takes.
    pub after: Duration,
    /// What it writes to its log.
    pub output: String,
    /// How it ends.
    pub end: FakeEnd,
}

/// How a simulated invocation ends.
#[derive(Clone, Debug)]
pub enum FakeEnd {
    /// With this response.
    Response(Bytes),
    /// With this error.
    Fault(Fault),
    /// With the end of the process.
    Exit(Exit),
    /// Never.
    Hang,
}

impl FakeReply {
    /// An immediate response.
    pub fn response(payload: impl Into<Bytes>) -> Self {
        Self { after: Duration::ZERO, output: String::new(), end: FakeEnd::Response(payload.into()) }
    }
}

/// The simulated functions: called with the sandbox's variables among its specification.
pub type Responder = dyn Fn(&SandboxSpec, &Invocation) -> FakeReply + Send + Sync;

/// The driver.
pub struct FakeDriver {
    env: Env,
    responder: Arc<Responder>,
    init: Duration,
    living: Arc<Mutex<Vec<Arc<FakeSandbox>>>>,
}

impl FakeDriver {
    /// Functions take `init` to start, and answer as `responder` says.
    pub fn new(
        env: Env,
        init: Duration,
        responder: impl Fn(&SandboxSpec, &Invocation) -> FakeReply + Send + Sync + 'static,
    ) -> Self {
        Self { env, responder: Arc::new(responder), init, living: Arc::default() }
    }
}

impl Driver for FakeDriver {
    fn level(&self) -> Level {
        Level::Full
    }

    fn start(
        &self,
        spec: SandboxSpec,
        wiring: Wiring,
    ) -> BoxFuture<'_, Result<Arc<dyn Sandbox>, StartError>> {
        let sandbox = Arc::new(FakeSandbox {
            exchange: wiring.exchange.clone(),
            ended: watch::Sender::new(None),
            frozen: watch::Sender::new(false),
            ends: watch::Sender::default(),
        });
        let mut living = self.living.lock().expect("no code panics while it holds this lock");
        living.retain(|sandbox| sandbox.ended.borrow().is_none());
        living.push(sandbox.clone());
        drop(living);
        let run = run(
            self.env.clone(),
            self.init,
            self.responder.clone(),
            spec,
            wiring.exchange,
            wiring.output,
            sandbox.clone(),
        );
        self.env.spawn("fake runtime", run);
        Box::pin(async { Ok(sandbox as Arc<dyn Sandbox>) })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        for sandbox in self.living.lock().expect("no code panics while it holds this lock").drain(..) {
            sandbox.kill();
        }
        Box::pin(async {})
    }
}

struct FakeSandbox {
    exchange: Arc<Exchange>,
    ended: watch::Sender<Option<Exit>>,
    frozen: watch::Sender<bool>,
    /// Without companions its end is its program's.
    ends: watch::Sender<Ends>,
}

impl FakeSandbox {
    fn end(&self, exit: Exit) {
        self.exchange.close();
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(exit);
            first
        });
    }
}

impl Sandbox for FakeSandbox {
    fn kill(&self) {
        self.end(Exit::Killed);
    }

    fn initialised(&self) {}

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    fn begin(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }

    fn ends(&self) -> watch::Receiver<Ends> {
        self.ends.subscribe()
    }

    fn end_program(&self, how: ProgramEnd) {
        let signal = match how {
            ProgramEnd::Asked => SIGTERM,
            ProgramEnd::Killed => SIGKILL,
        };
        self.end(Exit::Signal(signal));
    }

    fn connect(&self, _: u16) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) })
    }

    fn ended(&self) -> BoxFuture<'_, Exit> {
        let mut ended = self.ended.subscribe();
        Box::pin(async move {
            ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended).unwrap_or(Exit::Killed)
        })
    }

    fn memory_peak_bytes(&self) -> Option<u64> {
        None
    }

    fn drain_output(&self) {}
}

async fn run(
    env: Env,
    init: Duration,
    responder: Arc<Responder>,
    spec: SandboxSpec,
    exchange: Arc<Exchange>,
    output: Arc<dyn OutputSink>,
    sandbox: Arc<FakeSandbox>,
) {
    env.sleep(init).await;
    while let Ok(invocation) = exchange.next().await {
        // A frozen process does not notice that something came.
        let mut frozen = sandbox.frozen.subscribe();
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let reply = responder(&spec, &invocation);
        env.sleep(reply.after).await;
        output.write(reply.output.as_bytes());
        let answer = match reply.end {
            FakeEnd::Response(payload) => Answer::Response(payload),
            FakeEnd::Fault(fault) => Answer::Fault(fault),
            FakeEnd::Exit(exit) => return sandbox.end(exit),
            FakeEnd::Hang => return,
        };
        if exchange.answer(&invocation.request_id, answer).is_err() {
            return;
        }
    }
}
