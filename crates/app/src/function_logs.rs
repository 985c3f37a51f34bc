//! Functions' lines into CloudWatch Logs, with the permissions of their roles.
//!
//! A line costs the function a place in memory and nothing else. A worker appends what has gathered, a batch for each
//! stream. Where more comes than can be written, lines are lost: their number is told in the log itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_compute::LineSink;
use apus_env::Env;
use apus_kernel::{Caller, Credentials, Origin, Platform};
use apus_model_logs::{
    CreateLogGroup, CreateLogGroupRequest, CreateLogStream, CreateLogStreamRequest, InputLogEvent,
    PutLogEvents, PutLogEventsRequest,
};
use apus_schema::{Operation, ServiceError};
use apus_service_lambda::{LogSink, LogSource};
use apus_service_sts::SessionCredentials;
use tokio::sync::Notify;
use tracing::{debug, warn};

/// Bytes of lines that wait; lines beyond are lost.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a line counts beside its text.
const LINE_OVERHEAD_BYTES: usize = 64;
/// The bounds of a batch, a little below those of `PutLogEvents`.
const BATCH_EVENTS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 1_000_000;
/// What `PutLogEvents` counts for an event beside its message.
const EVENT_OVERHEAD_BYTES: usize = 26;
/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_millis(20);
/// How often a write that failed for want of the platform is tried.
const ATTEMPTS_MAX: u32 = 5;
/// The pause before the next attempt, doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the end of the platform waits for lines.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Roles whose lack of permission is remembered, so that each is told once.
const TOLD_MAX: usize = 1_000;

/// Takes functions' lines, and writes them as it can.
pub(crate) struct FunctionLogs(Arc<Inner>);

struct Inner {
    env: Env,
    waiting: Mutex<Waiting>,
    more: Notify,
    /// One writes at a time, so that lines stay in order.
    writing: tokio::sync::Mutex<Writer>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(Arc<LogSource>, Line)>,
    bytes: usize,
    /// By group and stream.
    lost: BTreeMap<(String, String), (Arc<LogSource>, u64)>,
}

struct Line {
    time_ms: i64,
    text: String,
}

/// What the writer remembers.
#[derive(Default)]
struct Writer {
    /// Groups whose lines a role may not write, as they were told.
    told: BTreeSet<(String, String)>,
}

impl FunctionLogs {
    pub(crate) fn new(env: Env) -> Self {
        Self(Arc::new(Inner {
            env,
            waiting: Mutex::default(),
            more: Notify::new(),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Writes lines as they come, for as long as the platform runs.
    pub(crate) fn write(
        &self,
        platform: Platform,
        sessions: SessionCredentials,
    ) -> impl Future<Output = ()> + Send + use<> {
        let inner = Arc::clone(&self.0);
        async move {
            loop {
                inner.more.notified().await;
                inner.env.sleep(GATHER).await;
                inner.write_all(&platform, &sessions).await;
            }
        }
    }

    /// Writes what waits, if that does not take too long: the platform ends.
    pub(crate) async fn flush(&self, platform: &Platform, sessions: &SessionCredentials) {
        let written = self.0.env.timeout(FLUSH_MAX, self.0.write_all(platform, sessions)).await;
        if written.is_err() {
            warn!("the last lines of functions could not be written");
        }
    }
}

impl LogSink for FunctionLogs {
    fn open(&self, source: LogSource) -> Arc<dyn LineSink> {
        Arc::new(Open { source: Arc::new(source), inner: Arc::clone(&self.0) })
    }
}

/// One environment's way in.
struct Open {
    source: Arc<LogSource>,
    inner: Arc<Inner>,
}

impl LineSink for Open {
    fn line(&self, request_id: Option<&str>, line: &str) {
        debug!(group = self.source.group, stream = self.source.stream, request_id, "{line}");
        // An event without text is none.
        if line.trim().is_empty() {
            return;
        }
        let time_ms = self.inner.env.now().as_millis();
        self.inner.take(&self.source, Line { time_ms, text: line.to_owned() });
    }
}

impl Inner {
    fn take(&self, source: &Arc<LogSource>, line: Line) {
        let mut waiting = self.lock();
        let bytes = line.text.len() + LINE_OVERHEAD_BYTES;
        if waiting.bytes + bytes > WAITING_BYTES_MAX {
            let place = (source.group.clone(), source.stream.clone());
            waiting.lost.entry(place).or_insert_with(|| (Arc::clone(source), 0)).1 += 1;
        } else {
            waiting.bytes += bytes;
            waiting.lines.push_back((Arc::clone(source), line));
        }
        drop(waiting);
        self.more.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_all(&self, platform: &Platform, sessions: &SessionCredentials) {
        let mut writer = self.writing.lock().await;
        loop {
            let (lines, bytes, lost) = {
                let mut waiting = self.lock();
                (std::mem::take(&mut waiting.lines), waiting.bytes, std::mem::take(&mut waiting.lost))
            };
            if lines.is_empty() && lost.is_empty() {
                return;
            }
            let now_ms = self.env.now().as_millis();
            let mut streams = BTreeMap::<(String, String), (Arc<LogSource>, Vec<Line>)>::new();
            for (source, line) in lines {
                let place = (source.group.clone(), source.stream.clone());
                streams.entry(place).or_insert_with(|| (source, Vec::new())).1.push(line);
            }
            for (place, (source, count)) in lost {
                let noun = if count == 1 { "line" } else { "lines" };
                let text = format!(
                    "[apus] {count} {noun} of this log came faster than they could be written, and were lost"
                );
                let line = Line { time_ms: now_ms, text };
                streams.entry(place).or_insert_with(|| (source, Vec::new())).1.push(line);
            }
            for (source, mut lines) in streams.into_values() {
                // The clock of an environment's pipe and that of the platform's own lines are one, so this moves little.
                lines.sort_by_key(|line| line.time_ms);
                let write = Write { env: &self.env, platform, sessions, source: &source };
                write.stream(&mut writer, lines).await;
            }
            // What is being written counts until it is: memory stays bounded while the disk is slow.
            self.lock().bytes -= bytes;
        }
    }
}

/// Lines of one stream on their way.
struct Write<'a> {
    env: &'a Env,
    platform: &'a Platform,
    sessions: &'a SessionCredentials,
    source: &'a LogSource,
}

impl Write<'_> {
    async fn stream(&self, writer: &mut Writer, lines: Vec<Line>) {
        let mut rest = lines.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while let Some(line) = rest.next_if(|line| {
                let own = line.text.len() + EVENT_OVERHEAD_BYTES;
                batch.is_empty() || (batch.len() < BATCH_EVENTS_MAX && bytes + own <= BATCH_BYTES_MAX)
            }) {
                bytes += line.text.len() + EVENT_OVERHEAD_BYTES;
                batch.push(InputLogEvent { timestamp: line.time_ms, message: line.text });
            }
            if let Err(error) = self.batch(&batch).await {
                self.tell(writer, &error, batch.len());
            }
        }
    }

    /// Appends a batch, in a stream and a group that are made where they are missing.
    async fn batch(&self, batch: &[InputLogEvent]) -> Result<(), ServiceError> {
        let LogSource { group, stream, .. } = self.source;
        let put = || PutLogEventsRequest {
            log_group_name: group.clone(),
            log_stream_name: stream.clone(),
            log_events: batch.to_vec(),
            ..PutLogEventsRequest::default()
        };
        match self.call::<PutLogEvents>(put).await {
            Err(error) if error.is(&apus_model_logs::errors::RESOURCE_NOT_FOUND_EXCEPTION) => {}
            answer => return answer.map(drop),
        }
        let make_stream =
            || CreateLogStreamRequest { log_group_name: group.clone(), log_stream_name: stream.clone() };
        let made = self.call::<CreateLogStream>(make_stream).await;
        if made.as_ref().is_err_and(|error| error.is(&apus_model_logs::errors::RESOURCE_NOT_FOUND_EXCEPTION))
        {
            let make_group = || CreateLogGroupRequest {
                log_group_name: group.clone(),
                ..CreateLogGroupRequest::default()
            };
            is_there(self.call::<CreateLogGroup>(make_group).await)?;
            is_there(self.call::<CreateLogStream>(make_stream).await)?;
        } else {
            is_there(made)?;
        }
        self.call::<PutLogEvents>(put).await.map(drop)
    }

    /// One call as the function's role, repeated while the platform cannot answer it.
    async fn call<O: Operation>(&self, input: impl Fn() -> O::Input) -> Result<O::Output, ServiceError> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let answer = match self.caller().await {
                Ok(caller) => {
                    let context = self.platform.context(caller, Origin::default(), None);
                    self.platform.call::<O>(context, input()).await
                }
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                    self.env.sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
    }

    async fn caller(&self) -> Result<Caller, ServiceError> {
        let own = &self.source.credentials;
        let credential = self.sessions.lookup(&own.access_key_id, Some(&own.session_token)).await;
        let credential =
            credential.map_err(|error| ServiceError::internal(format!("the role's session: {error:?}")))?;
        Ok(Caller {
            account: self.source.account,
            ..Caller::signed(credential, &own.access_key_id, self.source.region.clone())
        })
    }

    /// Says why lines are nowhere: the first time for each group and reason as a warning.
    fn tell(&self, writer: &mut Writer, error: &ServiceError, lines: usize) {
        let LogSource { group, stream, .. } = self.source;
        let place = (group.clone(), error.name());
        if writer.told.len() < TOLD_MAX && writer.told.insert(place) {
            warn!(
                group,
                stream,
                lines,
                "a function's lines are not kept: {error}; its role needs logs:CreateLogGroup, logs:CreateLogStream and \
                 logs:PutLogEvents, as in the policy AWSLambdaBasicExecutionRole"
            );
        } else {
            debug!(group, stream, lines, "a function's lines are not kept: {error}");
        }
    }
}

/// What was to be made is there, be it from before.
fn is_there<T>(answer: Result<T, ServiceError>) -> Result<(), ServiceError> {
    match answer {
        Err(error) if !error.is(&apus_model_logs::errors::RESOURCE_ALREADY_EXISTS_EXCEPTION) => Err(error),
        _ => Ok(()),
    }
}
