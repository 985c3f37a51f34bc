//! Queues as a source: messages are received by long polls that wake on arrival, and deleted when they are done.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{Arn, BoxFuture, Context};
use apus_model_sqs::{
    DeleteMessageBatch, DeleteMessageBatchRequest, DeleteMessageBatchRequestEntry, GetQueueAttributes,
    GetQueueAttributesRequest, Message, MessageSystemAttributeName, QueueAttributeName, ReceiveMessage,
    ReceiveMessageRequest,
};
use apus_schema::{Common, ServiceError};
use apus_time::Timestamp;
use serde_json::Value;

use super::source::{Record, Source};
use super::{errors, sqs_event};

/// The most messages of one receive, and of one delete.
pub(crate) const MESSAGES_MAX: usize = 10;
/// The longest poll that SQS allows, in seconds.
const WAIT_SECS: i32 = 20;
/// How long a queue's visibility timeout is believed.
const VISIBILITY_LIFE: Duration = Duration::from_mins(1);
/// A queue that hides messages for less lets them be handled all the same, by several at once.
const HOLD_MIN: Duration = Duration::from_secs(1);
/// How often a delete is tried that failed inside the platform.
const DELETE_ATTEMPTS: u32 = 3;

/// One queue.
pub(crate) struct SqsSource {
    env: Env,
    arn: Arn,
    url: String,
    /// The queue's visibility timeout, and when it was read.
    visibility: Mutex<Option<(Duration, Timestamp)>>,
}

impl SqsSource {
    /// The queue of that name.
    pub(crate) fn new(env: Env, arn: Arn) -> Self {
        let url = format!("/{}/{}", arn.account, arn.resource);
        Self { env, arn, url, visibility: Mutex::default() }
    }

    /// Whether the queue keeps an order.
    pub(crate) fn is_fifo(arn: &Arn) -> bool {
        arn.resource.rsplit_once('.').is_some_and(|(_, end)| end == "fifo")
    }

    /// How long a received message is nobody else's.
    pub(crate) async fn visibility(&self, as_role: &Context) -> Result<Duration, ServiceError> {
        let now = self.env.now();
        let known = *self.visibility.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((timeout, at)) = known
            && now < at + VISIBILITY_LIFE
        {
            return Ok(timeout);
        }
        let input = GetQueueAttributesRequest {
            queue_url: self.url.clone(),
            attribute_names: Some(vec![QueueAttributeName::VisibilityTimeout]),
        };
        let attributes = as_role.call::<GetQueueAttributes>(input).await?.attributes.unwrap_or_default();
        let seconds = attributes.get("VisibilityTimeout").and_then(|seconds| seconds.parse().ok());
        let seconds =
            seconds.ok_or_else(|| ServiceError::internal("a queue without a visibility timeout"))?;
        let timeout = Duration::from_secs(seconds);
        *self.visibility.lock().unwrap_or_else(PoisonError::into_inner) = Some((timeout, now));
        Ok(timeout)
    }

    async fn receive(&self, as_role: &Context, limit: usize) -> Result<Vec<Record>, ServiceError> {
        let visibility = self.visibility(as_role).await?;
        let input = ReceiveMessageRequest {
            queue_url: self.url.clone(),
            message_system_attribute_names: Some(vec![MessageSystemAttributeName::All]),
            message_attribute_names: Some(vec!["All".to_owned()]),
            max_number_of_messages: Some(limit.clamp(1, MESSAGES_MAX) as i32),
            wait_time_seconds: Some(WAIT_SECS),
            ..ReceiveMessageRequest::default()
        };
        let received = as_role.call::<ReceiveMessage>(input).await?;
        let held_until = self.env.now() + visibility.max(HOLD_MIN);
        let messages = received.messages.unwrap_or_default();
        Ok(messages.iter().map(|message| self.record(message, held_until)).collect())
    }

    fn record(&self, message: &Message, held_until: Timestamp) -> Record {
        // Messages of standard queues may have a group, too, and no order.
        let attribute = |name| message.attributes.as_ref().and_then(|attributes| attributes.get(name));
        let group = attribute("MessageGroupId");
        Record {
            id: message.message_id.clone().unwrap_or_default(),
            json: sqs_event::record(message, &self.arn.to_string(), &self.arn.region),
            lane: group.filter(|_| Self::is_fifo(&self.arn)).cloned(),
            held_until,
            handle: message.receipt_handle.clone().unwrap_or_default(),
            trace: attribute("AWSTraceHeader").cloned(),
        }
    }

    async fn delete(&self, as_role: &Context, records: &[Record]) -> Result<(), ServiceError> {
        for some in records.chunks(MESSAGES_MAX) {
            let entries: Vec<_> = some
                .iter()
                .enumerate()
                .map(|(at, record)| DeleteMessageBatchRequestEntry {
                    id: at.to_string(),
                    receipt_handle: record.handle.clone(),
                })
                .collect();
            let mut attempt = 1;
            loop {
                let input =
                    DeleteMessageBatchRequest { queue_url: self.url.clone(), entries: entries.clone() };
                match as_role.call::<DeleteMessageBatch>(input).await {
                    // A single entry that fails is one that was held too long: it comes again.
                    Ok(_) => break,
                    Err(error) if error.is_retryable() && attempt < DELETE_ATTEMPTS => attempt += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Source for SqsSource {
    fn service(&self) -> &'static str {
        "sqs"
    }

    fn poll<'a>(
        &'a self,
        as_role: &'a Context,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, ServiceError>> {
        Box::pin(self.receive(as_role, limit))
    }

    fn done<'a>(
        &'a self,
        as_role: &'a Context,
        records: &'a [Record],
    ) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(self.delete(as_role, records))
    }

    fn filtered_as(&self, record: &Record) -> Value {
        sqs_event::filtered_as(&record.json)
    }

    fn problem(&self, error: &ServiceError) -> String {
        let denied = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"]
            .into_iter()
            .find(|operation| error.is_common(Common::AccessDenied) && error.message().contains(operation));
        match denied {
            Some(operation) => format!("PROBLEM: {}", errors::role_may_not(operation).message()),
            None => format!("PROBLEM: Amazon SQS: {}", error.message()),
        }
    }
}
