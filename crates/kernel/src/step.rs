//! Steps: what a service leaves in the outbox to be done later and that is no call of an operation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use apus_time::Timestamp;

use crate::Platform;
use crate::access::BoxFuture;

/// One attempt at a step.
pub struct Attempt {
    /// The platform, to call operations through.
    pub platform: Platform,
    /// The same at every attempt: targets may know a repetition by it.
    pub id: String,
    /// When the step was left.
    pub since: Timestamp,
    /// How many attempts have failed before.
    pub failures: u32,
    /// What was left with it.
    pub payload: Vec<u8>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// It is done.
    Done,
    /// It is to be tried again; its lane waits for it.
    Again {
        /// After so long.
        after: Duration,
        /// Why it failed.
        reason: String,
    },
    /// It is over, and a person should know.
    Dead {
        /// Why.
        reason: String,
    },
}

/// A step's handler: `async fn deliver(sns: Arc<Sns>, attempt: Attempt) -> StepEnd`. It may be repeated after it
/// was done: a crash can come before that is written.
pub trait Step<S>: Send + Sync + 'static {
    /// Takes it.
    fn take(&self, state: Arc<S>, attempt: Attempt) -> BoxFuture<'static, StepEnd>;
}

impl<S, F, End> Step<S> for F
where
    F: Fn(Arc<S>, Attempt) -> End + Send + Sync + 'static,
    End: Future<Output = StepEnd> + Send + 'static,
{
    fn take(&self, state: Arc<S>, attempt: Attempt) -> BoxFuture<'static, StepEnd> {
        Box::pin(self(state, attempt))
    }
}

/// A step with the state that its handler is passed.
pub(crate) trait BoundStep: Send + Sync {
    fn take(&self, attempt: Attempt) -> BoxFuture<'static, StepEnd>;
}

pub(crate) struct Bound<S, H> {
    pub(crate) state: Arc<S>,
    pub(crate) handler: H,
}

impl<S: Send + Sync + 'static, H: Step<S>> BoundStep for Bound<S, H> {
    fn take(&self, attempt: Attempt) -> BoxFuture<'static, StepEnd> {
        self.handler.take(Arc::clone(&self.state), attempt)
    }
}
