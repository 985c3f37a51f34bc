//! The real world: the system's clock and random numbers, tokio's timers and tasks, threads.
#![allow(clippy::disallowed_methods, reason = "this is where the ambient world comes in")]

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use apus_time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::environment::{BoxFuture, Environment};

/// How long a wait for the wall clock sleeps at most before looking again: a clock that someone sets is noticed by then.
const WALL_CLOCK_CHECK: Duration = Duration::from_secs(20);
/// Random bytes that a thread holds ready.
const RANDOM_RESERVE: usize = 1_024;

pub(crate) struct RealEnvironment {
    handle: Handle,
    started: Instant,
    clock: Arc<WallClock>,
}

impl RealEnvironment {
    pub(crate) fn new() -> Self {
        let clock = WallClock {
            last_micros: AtomicI64::new(i64::MIN),
            ahead_micros: AtomicI64::new(0),
            moved: Notify::new(),
        };
        Self { handle: Handle::current(), started: Instant::now(), clock: Arc::new(clock) }
    }
}

impl Environment for RealEnvironment {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.clock.ahead_micros.fetch_add(by, Ordering::SeqCst);
        self.clock.moved.notify_waiters();
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture {
        let (clock, handle) = (self.clock.clone(), self.handle.clone());
        Box::pin(async move {
            loop {
                // Registered before the clock is read, so that no move is missed between the two.
                let mut moved = pin!(clock.moved.notified());
                moved.as_mut().enable();
                let left = at.since(clock.now());
                if left.is_zero() {
                    return;
                }
                // Rounded up to the timer's millisecond by tokio, so one round is the rule.
                let span = sleep_on(&handle, left.min(WALL_CLOCK_CHECK));
                let _ = crate::timeout::timeout(span, moved).await;
            }
        })
    }

    fn sleep(&self, span: Duration) -> BoxFuture {
        sleep_on(&self.handle, span)
    }

    fn spawn(&self, _name: &'static str, future: BoxFuture) {
        self.handle.spawn(future);
    }

    fn spawn_thread(&self, name: &'static str, future: BoxFuture) {
        let handle = self.handle.clone();
        let body = move || {
            // Libraries that look for a runtime find it here too.
            let _guard = handle.enter();
            block_on(future);
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(body);
        if let Err(error) = started {
            panic!("cannot start the thread `{name}`: {error}; raise the limit on processes (ulimit -u)");
        }
    }

    fn random_bytes(&self, buf: &mut [u8]) {
        RANDOM.with_borrow_mut(|reserve| reserve.take(buf));
    }

    fn trace(&self, _record: &[u8]) {}

    fn is_simulated(&self) -> bool {
        false
    }
}

thread_local! {
    static RANDOM: RefCell<RandomReserve> = const { RefCell::new(RandomReserve { bytes: [0; RANDOM_RESERVE], used: RANDOM_RESERVE }) };
}

/// Random bytes of the operating system, fetched many at once: an id takes few, and each fetch is a system call.
struct RandomReserve {
    bytes: [u8; RANDOM_RESERVE],
    /// Those before are given away and wiped.
    used: usize,
}

impl RandomReserve {
    fn take(&mut self, buf: &mut [u8]) {
        if buf.len() > RANDOM_RESERVE / 4 {
            return fetch_random(buf);
        }
        if self.bytes.len() - self.used < buf.len() {
            fetch_random(&mut self.bytes);
            self.used = 0;
        }
        let given = &mut self.bytes[self.used..self.used + buf.len()];
        buf.copy_from_slice(given);
        given.fill(0);
        self.used += buf.len();
    }
}

fn fetch_random(buf: &mut [u8]) {
    if let Err(error) = getrandom::fill(buf) {
        panic!("the operating system gives no random bytes: {error}");
    }
}

struct WallClock {
    last_micros: AtomicI64,
    /// How far [`Environment::advance`] has moved the clock.
    ahead_micros: AtomicI64,
    moved: Notify,
}

impl WallClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let system = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let shown = system.saturating_add(self.ahead_micros.load(Ordering::SeqCst));
        let last = self.last_micros.fetch_max(shown, Ordering::SeqCst);
        Timestamp::from_micros(shown.max(last))
    }
}

fn sleep_on(handle: &Handle, span: Duration) -> BoxFuture {
    let _guard = handle.enter();
    Box::pin(tokio::time::sleep(span))
}

/// Runs a future on this thread, parking it while there is nothing to do.
fn block_on(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    while future.as_mut().poll(&mut cx) == Poll::Pending {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use crate::{Env, Stopped};
    use apus_time::Timestamp;
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn in_runtime<F: std::future::Future>(body: impl FnOnce(Env) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        runtime.expect("a runtime starts").block_on(async { body(Env::real()).await })
    }

    #[test]
    fn tasks_and_threads_finish_or_are_stopped() {
        in_runtime(|env| async move {
            let (send, receive) = oneshot::channel();
            let worker = env.clone();
            let thread = env.spawn_thread("worker", async move {
                worker.sleep(Duration::from_millis(1)).await;
                let _ = send.send(std::thread::current().name().map(str::to_owned));
            });
            assert_eq!(receive.await, Ok(Some("worker".to_owned())));
            assert_eq!(thread.join().await, Ok(()));

            let stuck = env.spawn("stuck", std::future::pending());
            stuck.abort();
            assert_eq!(stuck.join().await, Err(Stopped));
        });
    }

    #[test]
    fn moving_the_clock_wakes_those_who_wait_for_a_time() {
        in_runtime(|env| async move {
            let (before, span) = (env.now(), env.monotonic());
            let (clock, day) = (env.clone(), Duration::from_hours(24));
            let sleeper = env.spawn("sleeper", async move { clock.sleep_until(before + day).await });
            env.advance(day);
            assert_eq!(sleeper.join().await, Ok(()));
            assert!(env.now() >= before + day);
            assert!(env.monotonic().checked_sub(span).unwrap() < day);
            env.sleep_until(Timestamp::MIN).await;
        });
    }

    #[test]
    fn random_bytes_differ_and_uuids_have_their_form() {
        in_runtime(|env| async move {
            let uuid = env.uuid_v4();
            assert_ne!(uuid, env.uuid_v4());
            let parts: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(&uuid[14..15], "4");
            assert!("89ab".contains(&uuid[19..20]));
            assert_eq!(env.random_below(0), 0);
            assert!((0..100).all(|_| env.random_below(3) < 3));
        });
    }
}
