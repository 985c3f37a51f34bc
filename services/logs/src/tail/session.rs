//! One live tail: what was taken since the last update, framed for the client.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use apus_env::Env;
use apus_model_logs::{
    LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart, LiveTailSessionUpdate,
};
use apus_schema::{Body, BodyError};
use apus_wire::event_stream::Message;
use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{Followings, News};
use crate::Logs;
use crate::errors::Refusal;
use crate::pattern::Pattern;

/// How often a client is told.
const EVERY: Duration = Duration::from_secs(1);
/// The most events of an update: of more it is a sample.
const EVENTS_MAX: usize = 500;
/// The most bytes of an update's messages.
const UPDATE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a session lasts.
const SESSION_MAX: Duration = Duration::from_hours(3);
/// Updates that wait for a client.
const WAITING_MAX: usize = 4;

/// What a client wants to see.
pub(crate) struct Followed {
    /// Numbers and resource names.
    pub(crate) groups: Vec<(u64, String)>,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) prefixes: Option<Vec<String>>,
    pub(crate) text: String,
    pub(crate) pattern: Pattern,
}

/// A session under way.
pub(crate) struct Session {
    env: Env,
    followed: Followed,
    followings: Followings,
    client: mpsc::Sender<Bytes>,
}

impl Session {
    /// Follows from now on: what the client reads.
    pub(crate) fn begin(logs: &Logs, followed: Followed, request_id: String) -> Result<Body, Refusal> {
        let numbers: Vec<_> = followed.groups.iter().map(|(number, _)| *number).collect();
        let followings = logs
            .hub
            .follow(&numbers)
            .ok_or_else(|| Refusal::Limit("Too many live tails of this log group.".into()))?;
        let (client, receiver) = mpsc::channel(WAITING_MAX);
        let start = LiveTailSessionStart {
            request_id: Some(request_id),
            session_id: Some(logs.env.uuid_v4()),
            log_group_identifiers: Some(followed.groups.iter().map(|(_, arn)| arn.clone()).collect()),
            log_stream_names: Some(followed.names.clone().unwrap_or_default()),
            log_stream_name_prefixes: Some(followed.prefixes.clone().unwrap_or_default()),
            log_event_filter_pattern: Some(followed.text.clone()),
        };
        let first = client.try_send(Message::event("sessionStart", start).encode());
        assert!(first.is_ok(), "a new channel takes a message");
        let session = Self { env: logs.env.clone(), followed, followings, client };
        // The task ends when its client does.
        let _detached = logs.env.spawn("live tail", session.run());
        Ok(Body::streaming(Box::pin(Frames(receiver)), None))
    }

    async fn run(mut self) {
        let ends = self.env.monotonic() + SESSION_MAX;
        while self.env.monotonic() < ends {
            let Some(update) = self.gather().await else { return };
            if self.client.send(Message::event("sessionUpdate", update).encode()).await.is_err() {
                return;
            }
        }
        let over = Message::exception("SessionTimeoutException", "The live tail session has timed out.");
        let _gone = self.client.send(over.encode()).await;
    }

    /// What comes until the next update is due; nothing if the client is gone.
    async fn gather(&mut self) -> Option<LiveTailSessionUpdate> {
        let (mut events, mut bytes, mut sampled) = (Vec::new(), 0, false);
        let env = self.env.clone();
        let mut due = std::pin::pin!(env.sleep(EVERY));
        loop {
            tokio::select! {
                biased;
                () = self.client.closed() => return None,
                () = &mut due => break,
                news = self.followings.news.recv() => {
                    let news = news?;
                    for event in self.followed.wanted(&news) {
                        bytes += event.message.as_ref().map_or(0, String::len);
                        if events.len() == EVENTS_MAX || (bytes > UPDATE_BYTES_MAX && !events.is_empty()) {
                            sampled = true;
                            break;
                        }
                        events.push(event);
                    }
                }
            }
        }
        sampled |= self.followings.take_missed();
        Some(LiveTailSessionUpdate {
            session_metadata: Some(LiveTailSessionMetadata { sampled: Some(sampled) }),
            session_results: Some(events),
        })
    }
}

impl Followed {
    fn wanted(&self, news: &News) -> impl Iterator<Item = LiveTailSessionLogEvent> {
        let named = self.names.as_ref().is_none_or(|names| names.contains(&news.stream));
        let prefixed = self
            .prefixes
            .as_ref()
            .is_none_or(|prefixes| prefixes.iter().any(|prefix| news.stream.starts_with(prefix)));
        let group = self.groups.iter().find(|(number, _)| *number == news.group);
        let group = group.filter(|_| named && prefixed);
        let events = group.into_iter().flat_map(|(_, arn)| news.events.iter().map(move |event| (arn, event)));
        events.filter(|(_, event)| self.pattern.matches(&event.message)).map(|(arn, event)| {
            LiveTailSessionLogEvent {
                log_stream_name: Some(news.stream.clone()),
                log_group_identifier: Some(arn.clone()),
                message: Some(event.message.clone()),
                timestamp: Some(event.time_ms),
                ingestion_time: Some(news.ingested_at_ms),
            }
        })
    }
}

/// Frames as a body.
struct Frames(mpsc::Receiver<Bytes>);

impl Stream for Frames {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}
