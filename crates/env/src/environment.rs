//! What an environment must offer; [`crate::Env`] is the handle on one.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use apus_time::Timestamp;

pub(crate) type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) trait Environment: Send + Sync {
    fn now(&self) -> Timestamp;
    fn monotonic(&self) -> Duration;
    fn advance(&self, by: Duration);
    fn sleep_until(&self, at: Timestamp) -> BoxFuture;
    fn sleep(&self, span: Duration) -> BoxFuture;
    fn spawn(&self, name: &'static str, future: BoxFuture);
    fn spawn_thread(&self, name: &'static str, future: BoxFuture);
    fn random_bytes(&self, buf: &mut [u8]);
    fn trace(&self, record: &[u8]);
    fn is_simulated(&self) -> bool;
}
