//! Where a runtime, its extensions and the pool meet: the states that the Runtime API and the Extensions API prescribe
//! for one environment, and nothing of HTTP, processes or time. A simulated runtime uses it directly.

mod extensions;
mod runtime;

use std::sync::{Arc, Mutex, MutexGuard};

use apus_time::Timestamp;
use bytes::Bytes;
use tokio::sync::Notify;

use self::extensions::Extension;
use crate::response_stream::ResponseWriter;

pub use extensions::{
    EXTENSION_NAME_BYTES_MAX, EXTENSIONS_MAX, ExtensionEvent, ExtensionFault, ExtensionKind, Lifecycle,
    RegisterError, Registered, ShutdownReason,
};

/// The largest response that a runtime may leave, in bytes: AWS's number.
pub const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// One event on its way into a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its name, unique among invocations.
    pub request_id: String,
    /// When the function must have answered.
    pub deadline: Timestamp,
    /// The ARN that was invoked, qualifier included.
    pub function_arn: String,
    /// The trace that it belongs to, in the form of `X-Amzn-Trace-Id`.
    pub trace_id: Option<String>,
    /// The caller's context, decoded JSON of a mobile SDK.
    pub client_context: Option<String>,
    /// The caller's Cognito identity, as JSON.
    pub cognito_identity: Option<String>,
    /// The event.
    pub payload: Bytes,
}

/// An error that the function or its runtime reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Such as `Runtime.ImportModuleError`, where told.
    pub error_type: Option<String>,
    /// The JSON that callers see.
    pub body: Bytes,
}

/// How an invocation ended, as the runtime told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The handler returned this.
    Response(Bytes),
    /// The handler failed.
    Fault(Fault),
    /// The handler returned more than [`RESPONSE_BYTES_MAX`].
    TooLarge,
    /// The handler's response has been streamed to its end.
    Streamed,
    /// The handler streamed more than [`crate::response_stream::STREAM_BYTES_MAX`].
    StreamTooLarge,
    /// The runtime broke off a response that it streamed.
    Truncated,
}

/// A call that does not fit the state of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The invocation named is not the one under way.
    InvalidRequestId,
    /// The call is not allowed now.
    InvalidStateTransition,
    /// No extension has this identifier.
    UnknownExtension,
    /// The environment is ending.
    Closed,
}

/// The meeting place of one environment.
#[derive(Default)]
pub struct Exchange {
    state: Mutex<State>,
    to_runtime: Notify,
    to_pool: Notify,
}

#[derive(Default)]
struct State {
    /// The runtime has asked for its first invocation, or failed to come so far.
    initialised: Option<Result<(), Fault>>,
    /// The runtime has asked for an invocation and has got none since.
    waiting: bool,
    offered: Option<Arc<Invocation>>,
    running: Option<String>,
    /// Where the response of the invocation under way goes piece by piece, if it may and has not begun to.
    stream: Option<ResponseWriter>,
    /// The response of the invocation under way is being streamed: only who streams it answers.
    streaming: bool,
    answer: Option<Answer>,
    extensions: Vec<Extension>,
    /// Whether the start is over: nobody registers any more.
    sealed: bool,
    extension_fault: Option<ExtensionFault>,
    closed: bool,
}

impl Exchange {
    /// One for a new environment.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// For the runtime's side: waits until the environment ends.
    pub async fn closed(&self) {
        self.await_runtime_side(|state| state.closed.then_some(())).await;
    }

    /// For the pool: waits until the runtime has initialised, or says why it cannot.
    pub async fn runtime_initialised(&self) -> Result<(), Fault> {
        self.await_pool_side(|state| state.initialised.clone()).await
    }

    /// For the pool: waits until the runtime and all extensions have initialised, or the runtime says why it cannot.
    /// No extension registers any more after that.
    pub async fn initialised(&self) -> Result<(), Fault> {
        self.await_pool_side(|state| match &state.initialised {
            Some(Ok(())) if state.extensions.iter().all(Extension::is_ready) => {
                state.sealed = true;
                Some(Ok(()))
            }
            Some(Err(fault)) => Some(Err(fault.clone())),
            _ => None,
        })
        .await
    }

    /// For the pool: waits until the runtime has asked for another invocation.
    pub async fn runtime_ready(&self) {
        self.await_pool_side(|state| state.waiting.then_some(())).await;
    }

    /// For the pool: waits until the runtime has asked for another invocation, and every extension for another event.
    pub async fn ready(&self) {
        self.await_pool_side(|state| {
            (state.waiting && state.extensions.iter().all(Extension::is_ready)).then_some(())
        })
        .await;
    }

    /// For the pool: hands an invocation to the waiting runtime and to the extensions that want to know, and waits for
    /// the runtime's answer. With a stream the response may
    /// go there while it is made.
    pub async fn invoke(&self, invocation: Arc<Invocation>, stream: Option<ResponseWriter>) -> Answer {
        {
            let mut state = self.lock();
            assert!(
                state.running.is_none() && state.offered.is_none(),
                "an environment takes one event at a time"
            );
            state.answer = None;
            state.stream = stream;
            for extension in &mut state.extensions {
                extension.offer_invocation(&invocation);
            }
            state.offered = Some(invocation);
        }
        self.to_runtime.notify_waiters();
        self.await_pool_side(|state| state.answer.take()).await
    }

    /// For the pool: the environment ends; whoever waits in the runtime's name is let go.
    pub fn close(&self) {
        self.lock().closed = true;
        self.to_runtime.notify_waiters();
    }

    async fn await_pool_side<T>(&self, found: impl FnMut(&mut State) -> Option<T>) -> T {
        self.await_on(&self.to_pool, found).await
    }

    async fn await_runtime_side<T>(&self, found: impl FnMut(&mut State) -> Option<T>) -> T {
        self.await_on(&self.to_runtime, found).await
    }

    async fn await_on<T>(&self, bell: &Notify, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let notified = bell.notified();
            if let Some(value) = found(&mut self.lock()) {
                return value;
            }
            notified.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}
