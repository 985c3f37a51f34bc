//! A future that is seen through though nobody waits for it any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Env;

/// Made by [`Env::see_through`].
#[must_use = "it runs when it is waited for, or dropped"]
pub struct SeenThrough<T: Send + 'static> {
    env: Env,
    name: &'static str,
    /// Until it is done.
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> SeenThrough<T> {
    pub(crate) fn new(env: Env, name: &'static str, future: Pin<Box<dyn Future<Output = T> + Send>>) -> Self {
        Self { env, name, future: Some(future) }
    }
}

impl<T: Send + 'static> Future for SeenThrough<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let future = self.future.as_mut().expect("what is done is not polled again");
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for SeenThrough<T> {
    fn drop(&mut self) {
        // What panicked is over too: polling it again would panic again.
        if let Some(future) = self.future.take()
            && !std::thread::panicking()
        {
            self.env.spawn(self.name, async move { drop(future.await) });
        }
    }
}

impl<T: Send + 'static> fmt::Debug for SeenThrough<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenThrough").field("name", &self.name).finish_non_exhaustive()
    }
}
