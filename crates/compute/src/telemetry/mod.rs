//! The Telemetry API and the Logs API of one environment: what the platform says and what the function and its
//! extensions write, in the order in which it came, to those in the environment who subscribed to it. Knows no HTTP
//! server; what a subscription may be is [`subscription`]'s business, what waits is [`buffer`]'s.

mod buffer;
mod delivery;
pub(crate) mod subscription;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use apus_env::Env;
use apus_time::Timestamp;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;

use self::buffer::{Buffer, Dropped, Due};
use self::subscription::{Api, Destination, Request, Stream};
use crate::driver::Sandbox;
use crate::platform_event::{LogsDropped, PlatformEvent, PlatformRecord, Schema};

/// Records of a start that are kept for those who subscribe later in it.
const EARLIER_RECORDS_MAX: usize = 10_000;
/// Their bytes.
const EARLIER_BYTES_MAX: usize = 1024 * 1024;
/// AWS's words for a loss.
const TOO_SLOW: &str = "the subscriber is slower than what it reads";

/// One record on its way.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// The platform says this.
    Platform(PlatformEvent),
    /// The function or its runtime wrote this line.
    Function(Written),
    /// An extension wrote this line.
    Extension(Written),
}

/// A line of a log.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) time: Timestamp,
    pub(crate) line: String,
    /// Whether the log is in JSON: a line that is an object is then a record, to those versions that know this.
    pub(crate) in_json: bool,
}

impl Written {
    fn record(&self, schema: Schema) -> Value {
        let may_be = self.in_json && schema >= Schema::Telemetry20221213 && self.line.starts_with('{');
        match may_be.then(|| serde_json::from_str(&self.line)) {
            Some(Ok(record @ Value::Object(_))) => record,
            _ => self.line.as_str().into(),
        }
    }
}

impl Entry {
    fn stream(&self) -> Stream {
        match self {
            Self::Platform(_) => Stream::Platform,
            Self::Function(_) => Stream::Function,
            Self::Extension(_) => Stream::Extension,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Platform(_) => size_of::<PlatformEvent>(),
            Self::Function(written) | Self::Extension(written) => written.line.len(),
        }
    }

    /// As a subscriber gets it, if its version knows it.
    fn json(&self, schema: Schema) -> Option<Bytes> {
        let value = match self {
            Self::Platform(event) => event.json(schema)?,
            Self::Function(written) | Self::Extension(written) => json!({
                "time": written.time.to_iso8601_millis(),
                "type": self.stream().name(),
                "record": written.record(schema),
            }),
        };
        Some(value.to_string().into())
    }
}

/// Those who subscribed in one environment.
pub(crate) struct Telemetry {
    env: Env,
    state: Mutex<State>,
    /// Whether nobody reads, and nobody will.
    unread: AtomicBool,
    /// Rung when something may have become due, and when something was delivered.
    bell: Notify,
    sandbox: OnceLock<Weak<dyn Sandbox>>,
}

#[derive(Default)]
struct State {
    /// What came until now, while one may subscribe.
    earlier: Option<Earlier>,
    subscribers: Vec<Subscriber>,
    next_id: u64,
    frozen: bool,
    /// How often it was thawed.
    thaws: u64,
    closed: bool,
}

#[derive(Default)]
struct Earlier {
    entries: VecDeque<Entry>,
    bytes: usize,
    dropped: Dropped,
}

struct Subscriber {
    id: u64,
    name: String,
    api: Api,
    schema: Schema,
    streams: Vec<Stream>,
    destination: Destination,
    buffer: Buffer,
    in_flight: bool,
}

impl Subscriber {
    fn take(&mut self, now: Duration, time: Timestamp) -> Vec<Bytes> {
        let schema = self.schema;
        let batch = self.buffer.take(now, |Dropped { records, bytes }| {
            let reason = TOO_SLOW.to_owned();
            let record = PlatformRecord::LogsDropped(LogsDropped { reason, records, bytes });
            Entry::Platform(PlatformEvent { time, record }).json(schema).unwrap_or_default()
        });
        self.in_flight = true;
        batch
    }
}

/// What became of a batch.
enum Sent {
    Delivered,
    /// Nothing of it has left.
    Unsent(Vec<Bytes>),
    /// Something of it may have been read.
    Lost(Vec<Bytes>),
}

impl Telemetry {
    pub(crate) fn new(env: Env) -> Arc<Self> {
        Arc::new(Self {
            env,
            state: Mutex::new(State { earlier: Some(Earlier::default()), ..State::default() }),
            unread: AtomicBool::new(false),
            bell: Notify::new(),
            sandbox: OnceLock::new(),
        })
    }

    /// Where subscribers are.
    pub(crate) fn attach(&self, sandbox: &Arc<dyn Sandbox>) {
        let _again = self.sandbox.set(Arc::downgrade(sandbox));
        self.bell.notify_waiters();
    }

    /// Whether somebody reads, or may yet.
    pub(crate) fn is_read(&self) -> bool {
        !self.unread.load(Ordering::Relaxed)
    }

    /// Adds a record.
    pub(crate) fn record(&self, entry: &Entry) {
        if !self.is_read() {
            return;
        }
        let now = self.env.monotonic();
        let mut state = self.lock();
        for subscriber in &mut state.subscribers {
            if subscriber.streams.contains(&entry.stream())
                && let Some(record) = entry.json(subscriber.schema)
            {
                subscriber.buffer.push(now, record);
            }
        }
        if let Some(earlier) = &mut state.earlier {
            earlier.push(entry);
        }
        drop(state);
        self.bell.notify_waiters();
    }

    /// An extension by this name subscribes, in place of what it had subscribed to by the same API. Whether it may.
    pub(crate) fn subscribe(self: &Arc<Self>, name: &str, api: Api, request: Request) -> bool {
        let now = self.env.monotonic();
        let mut state = self.lock();
        let state = &mut *state;
        let Some(earlier) = &state.earlier else { return false };
        let id = state.next_id;
        state.next_id += 1;
        let mut subscriber = Subscriber {
            id,
            name: name.to_owned(),
            api,
            schema: request.schema,
            streams: request.streams,
            destination: request.destination,
            buffer: Buffer::new(request.buffering),
            in_flight: false,
        };
        state.subscribers.retain(|other| (&*other.name, other.api) != (name, api));
        for entry in earlier.entries.iter().filter(|entry| subscriber.streams.contains(&entry.stream())) {
            if let Some(record) = entry.json(subscriber.schema) {
                subscriber.buffer.push(now, record);
            }
        }
        subscriber.buffer.lose(earlier.dropped);
        state.subscribers.push(subscriber);
        self.bell.notify_waiters();
        self.env.spawn("telemetry subscriber", delivery::deliver(Arc::clone(self), id));
        true
    }

    /// The start is over: nobody subscribes any more.
    pub(crate) fn seal(&self) {
        let mut state = self.lock();
        state.earlier = None;
        self.unread.store(state.subscribers.is_empty(), Ordering::Relaxed);
    }

    /// Nothing inside runs until it is thawed, so that nothing can be delivered.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        let mut state = self.lock();
        state.frozen = frozen;
        state.thaws += u64::from(!frozen);
        drop(state);
        self.bell.notify_waiters();
    }

    /// What waits is delivered at once, whatever subscribers asked for.
    pub(crate) fn flush(&self) {
        if !self.is_read() {
            return;
        }
        self.lock().subscribers.iter_mut().for_each(|subscriber| subscriber.buffer.flush());
        self.bell.notify_waiters();
    }

    /// Has what waits delivered, and waits until nothing waits.
    pub(crate) async fn flushed(&self) {
        self.flush();
        loop {
            let rung = self.bell.notified();
            if self.lock().subscribers.iter().all(|one| one.buffer.is_empty() && !one.in_flight) {
                return;
            }
            rung.await;
        }
    }

    /// The environment has ended.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_waiters();
    }

    /// Waits for the next batch of a subscriber and where it goes; nothing, if there is no such subscriber any more.
    async fn next_batch(&self, id: u64) -> Option<(Destination, Vec<Bytes>)> {
        loop {
            let rung = self.bell.notified();
            let now = self.env.monotonic();
            let due = {
                let mut state = self.lock();
                let frozen = state.frozen || self.sandbox.get().is_none();
                let subscriber = state.of(id)?;
                match subscriber.buffer.due(now) {
                    _ if frozen => None,
                    Due::Never => None,
                    Due::At(at) => Some(at.saturating_sub(now)),
                    Due::Now => {
                        let batch = subscriber.take(now, self.env.now());
                        return Some((subscriber.destination.clone(), batch));
                    }
                }
            };
            match due {
                None => rung.await,
                Some(span) => {
                    let _elapsed = self.env.timeout(span, rung).await;
                }
            }
        }
    }

    /// Waits until there is no such subscriber any more.
    async fn gone(&self, id: u64) {
        loop {
            let rung = self.bell.notified();
            if self.lock().of(id).is_none() {
                return;
            }
            rung.await;
        }
    }

    fn sent(&self, id: u64, sent: Sent) {
        let now = self.env.monotonic();
        let mut state = self.lock();
        if let Some(subscriber) = state.of(id) {
            subscriber.in_flight = false;
            match sent {
                Sent::Delivered => {}
                Sent::Unsent(batch) => subscriber.buffer.put_back(now, batch),
                Sent::Lost(batch) => subscriber.buffer.refuse(&batch),
            }
        }
        drop(state);
        self.bell.notify_waiters();
    }

    /// How often the environment was thawed; nothing while it is frozen.
    fn awake_since(&self) -> Option<u64> {
        let state = self.lock();
        (!state.frozen).then_some(state.thaws)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl State {
    fn of(&mut self, id: u64) -> Option<&mut Subscriber> {
        self.subscribers.iter_mut().find(|subscriber| subscriber.id == id).filter(|_| !self.closed)
    }
}

impl Earlier {
    fn push(&mut self, entry: &Entry) {
        let bytes = self.bytes + entry.bytes();
        if self.entries.len() >= EARLIER_RECORDS_MAX || bytes > EARLIER_BYTES_MAX || self.dropped.records > 0
        {
            self.dropped.records += 1;
            self.dropped.bytes += entry.bytes() as u64;
            return;
        }
        self.bytes = bytes;
        self.entries.push_back(entry.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_in_json_are_records_to_those_who_know() {
        let record = |line: &str, in_json, schema| {
            let written = Written { time: Timestamp::from_millis(0), line: line.into(), in_json };
            written.record(schema)
        };
        let (line, new, old) = (r#"{"level":"INFO"}"#, Schema::Telemetry20221213, Schema::Telemetry20220701);
        assert_eq!(record(line, true, new), json!({ "level": "INFO" }));
        for (line, in_json, schema) in [
            (line, true, old),
            (line, false, new),
            ("text", true, new),
            ("{cut", true, new),
            ("[1]", true, new),
        ] {
            assert_eq!(record(line, in_json, schema), json!(line), "{line} {in_json} {schema:?}");
        }
    }
}
