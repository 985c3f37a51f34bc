//! The simulated world as an environment: what [`crate::Env`] asks of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apus_time::Timestamp;

use super::START;
use super::executor::Shared;
use crate::environment::{BoxFuture, Environment};

/// The handle that environments are made of.
pub(crate) struct SimEnvironment(pub(crate) Arc<Shared>);

impl Environment for SimEnvironment {
    fn now(&self) -> Timestamp {
        START + self.0.lock().clock
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().clock
    }

    /// Virtual time is one: moving the wall clock moves spans as well.
    fn advance(&self, by: Duration) {
        self.0.lock().clock += by;
        // Timers that are due now fire when nothing else can run, in their order.
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture {
        Box::pin(Sleep { shared: self.0.clone(), at: at.since(START), timer: None })
    }

    fn sleep(&self, span: Duration) -> BoxFuture {
        let at = self.0.lock().clock.saturating_add(span);
        Box::pin(Sleep { shared: self.0.clone(), at, timer: None })
    }

    fn spawn(&self, name: &'static str, future: BoxFuture) {
        self.0.spawn(name, future);
    }

    fn spawn_thread(&self, name: &'static str, future: BoxFuture) {
        self.0.spawn(name, future);
    }

    fn random_bytes(&self, buf: &mut [u8]) {
        self.0.lock().chance.fill(buf);
    }

    fn trace(&self, record: &[u8]) {
        self.0.lock().trace.record(record);
    }

    fn is_simulated(&self) -> bool {
        true
    }
}

struct Sleep {
    shared: Arc<Shared>,
    at: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        if state.clock >= self.at {
            return Poll::Ready(());
        }
        let id = *self.timer.get_or_insert_with(|| state.new_id());
        let stale = state.timers.insert((self.at, id), cx.waker().clone());
        // A foreign waker may own a future that ends with a sleep: it is dropped outside of the lock.
        drop(state);
        drop(stale);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            let stale = self.shared.lock().timers.remove(&(self.at, id));
            drop(stale);
        }
    }
}
