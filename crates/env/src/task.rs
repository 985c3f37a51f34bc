//! A started task: how to wait for it and how to end it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{AbortHandle, abortable};
use tokio::sync::oneshot;

use crate::environment::BoxFuture;

/// A started task. Dropping it lets the task run on.
pub struct Task {
    abort: AbortHandle,
    done: oneshot::Receiver<()>,
}

/// The task ended without finishing: it was aborted, it panicked, or its runtime went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl Task {
    pub(crate) fn wrap(future: impl Future<Output = ()> + Send + 'static) -> (Self, BoxFuture) {
        let (future, abort) = abortable(future);
        let (finished, done) = oneshot::channel();
        let future = async move {
            if future.await.is_ok() {
                // Nobody need be waiting.
                let _ = finished.send(());
            }
        };
        (Self { abort, done }, Box::pin(future))
    }

    /// Asks the task to end at its next suspension; what it holds is dropped there. Idempotent.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Waits for the task's end.
    pub async fn join(self) -> Result<(), Stopped> {
        self.done.await.map_err(|_| Stopped)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("aborted", &self.abort.is_aborted()).finish_non_exhaustive()
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task stopped before it had finished")
    }
}

impl std::error::Error for Stopped {}

/// Lets every other runnable task have a turn first.
pub async fn yield_now() {
    YieldNow { yielded: false }.await;
}

struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
