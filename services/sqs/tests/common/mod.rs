//! A platform with SQS alone on a store in memory, under the simulator; and SQS's calls in short.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Lease, Origin, Platform, Region};
use apus_model_sqs::{
    ChangeMessageVisibility, ChangeMessageVisibilityRequest, CreateQueue, CreateQueueRequest, DeleteMessage,
    DeleteMessageRequest, GetQueueAttributes, GetQueueAttributesRequest, Message, QueueAttributeName,
    ReceiveMessage, ReceiveMessageRequest, SendMessage, SendMessageRequest,
};
use apus_schema::{Operation, ServiceError};
use apus_store::fsck::examine;
use apus_store::{Direction, Keyspace, Store};

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A platform, and the queue that its calls are about.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) platform: Platform,
    pub(crate) url: String,
}

/// Runs a story under the simulator.
pub(crate) fn run<T>(seed: u64, story: impl AsyncFnOnce(Env) -> T) -> T {
    let mut simulator = Simulator::new(seed);
    let env = simulator.env();
    simulator.run(story(env))
}

impl World {
    /// A platform, and one queue with these attributes.
    pub(crate) async fn new(env: &Env, attributes: &[(&str, &str)]) -> Self {
        let world = Self::on(env, Store::memory(env)).await;
        world.queue("jobs", attributes).await
    }

    /// A platform that takes over a store.
    pub(crate) async fn on(env: &Env, store: Store) -> Self {
        let lease = Lease::acquire(&store, Keyspace::global("instance", "lease").key(("lanes",)));
        let lease = lease.await.expect("the lease is free");
        let services = vec![apus_service_sqs::service(env.clone(), store.clone(), lease)];
        let platform = Platform::start(env.clone(), services, Vec::new(), AllowAll);
        Self { env: env.clone(), store, platform, url: String::new() }
    }

    /// Another platform in the place of this one, which is gone.
    pub(crate) async fn restarted(self) -> Self {
        self.platform.stop();
        Self { url: self.url, ..Self::on(&self.env, self.store).await }
    }

    /// The same platform and a further queue; a FIFO queue, if it is called one.
    pub(crate) async fn queue(&self, name: &str, attributes: &[(&str, &str)]) -> Self {
        let mut attributes: BTreeMap<String, String> =
            attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        if name.rsplit_once('.').is_some_and(|(_, end)| end == "fifo") {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        let input = CreateQueueRequest {
            queue_name: name.into(),
            attributes: Some(attributes),
            ..CreateQueueRequest::default()
        };
        let made = self.call::<CreateQueue>(input).await.expect("the queue is made");
        Self { url: made.queue_url.expect("it has a URL"), ..self.clone() }
    }

    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        self.platform.call::<O>(self.platform.context(caller, Origin::default(), None), input).await
    }

    pub(crate) async fn send(&self, body: &str, delay_seconds: i32) {
        let input = SendMessageRequest {
            queue_url: self.url.clone(),
            message_body: body.into(),
            delay_seconds: Some(delay_seconds),
            ..SendMessageRequest::default()
        };
        self.call::<SendMessage>(input).await.expect("it is sent");
    }

    /// Sends to a FIFO queue; the message's id.
    pub(crate) async fn send_to(&self, group: &str, body: &str, deduplication_id: &str) -> String {
        let input = SendMessageRequest {
            queue_url: self.url.clone(),
            message_body: body.into(),
            message_group_id: Some(group.into()),
            message_deduplication_id: Some(deduplication_id.into()),
            ..SendMessageRequest::default()
        };
        let sent = self.call::<SendMessage>(input).await.expect("it is sent");
        sent.message_id.expect("a message has an id")
    }

    pub(crate) async fn receive(&self, count: i32, visibility: i32, wait: i32) -> Vec<Message> {
        let input = ReceiveMessageRequest {
            queue_url: self.url.clone(),
            max_number_of_messages: Some(count),
            visibility_timeout: Some(visibility),
            wait_time_seconds: Some(wait),
            message_system_attribute_names: Some(vec!["All".into()]),
            ..ReceiveMessageRequest::default()
        };
        self.call::<ReceiveMessage>(input).await.expect("it answers").messages.unwrap_or_default()
    }

    pub(crate) async fn delete(&self, handle: &str) {
        self.try_delete(handle).await.expect("it is deleted");
    }

    pub(crate) async fn try_delete(&self, handle: &str) -> Result<(), ServiceError> {
        let input = DeleteMessageRequest { queue_url: self.url.clone(), receipt_handle: handle.into() };
        self.call::<DeleteMessage>(input).await.map(drop)
    }

    pub(crate) async fn hide(&self, handle: &str, secs: i32) -> Result<(), ServiceError> {
        let input = ChangeMessageVisibilityRequest {
            queue_url: self.url.clone(),
            receipt_handle: handle.into(),
            visibility_timeout: secs,
        };
        self.call::<ChangeMessageVisibility>(input).await.map(drop)
    }

    /// How many messages are visible, in flight and delayed.
    pub(crate) async fn counts(&self) -> (usize, usize, usize) {
        let input = GetQueueAttributesRequest {
            queue_url: self.url.clone(),
            attribute_names: Some(vec![QueueAttributeName::All]),
        };
        let answer = self.call::<GetQueueAttributes>(input).await.expect("it answers");
        let attributes = answer.attributes.expect("there are attributes");
        let count = |kind: &str| {
            let count = &attributes[&format!("ApproximateNumberOfMessages{kind}")];
            count.parse().expect("a count is a number")
        };
        (count(""), count("NotVisible"), count("Delayed"))
    }

    /// How many rows SQS has under a kind of key: `messages`, `own`, `queue`.
    pub(crate) async fn rows(&self, kind: &str) -> usize {
        let space = Keyspace::new("000000000000", "us-east-1", "sqs").sub((kind,));
        self.rows_of(&space).await
    }

    /// What contradicts what among the rows, at this moment.
    pub(crate) async fn contradictions(&self) -> Vec<String> {
        contradictions(&self.store).await
    }

    /// How many tasks are scheduled.
    pub(crate) async fn scheduled(&self) -> usize {
        self.rows_of(&Keyspace::global("instance", "sqs").sub(("schedule",))).await
    }

    async fn rows_of(&self, space: &Keyspace) -> usize {
        let rows = self.store.read(async |tx| tx.range(&space.all(), 100_000, Direction::Forward).await);
        rows.await.expect("it is read").len()
    }

    /// Lets time pass, and a moment more: nothing is due at the very end of it.
    pub(crate) async fn pass(&self, secs: u64) {
        self.env.sleep(Duration::from_secs(secs) + Duration::from_millis(1)).await;
    }
}

pub(crate) async fn contradictions(store: &Store) -> Vec<String> {
    let examined = examine(store, &[&apus_service_sqs::check()]).await.expect("it looks");
    examined.findings.iter().map(ToString::to_string).collect()
}

pub(crate) fn body(message: &Message) -> String {
    message.body.clone().expect("a message has a body")
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().map(body).collect()
}

pub(crate) fn handle(message: &Message) -> String {
    message.receipt_handle.clone().expect("a message has a handle")
}

pub(crate) fn attribute(message: &Message, name: &str) -> Option<String> {
    message.attributes.as_ref()?.get(name).cloned()
}
