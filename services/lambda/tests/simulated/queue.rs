//! A queue that is a model: what SQS promises a consumer, in a page. It notes what its consumers do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{Access, AccountId, Arn, Context, Principal, Region, Service};
use apus_model_sqs::{
    DeleteMessageBatch, DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry,
    GetQueueAttributes, GetQueueAttributesRequest, GetQueueAttributesResult, Message, ReceiveMessage,
    ReceiveMessageRequest, ReceiveMessageResult, SERVICE, SendMessage,
};
use apus_schema::{Common, ServiceError};
use apus_time::Timestamp;
use tokio::sync::Notify;

use crate::world::{Told, send_message};

/// A queue's visibility timeout.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(30);

/// Every queue that is named is there, but `absent`. Clones are handles to the same ones.
#[derive(Clone)]
pub(crate) struct Queues {
    env: Env,
    inner: Arc<Inner>,
    /// What others sent here, which no consumer receives.
    pub(crate) told: Arc<Told>,
}

#[derive(Default)]
struct Inner {
    messages: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    number: u64,
    waiting: BTreeMap<u64, Waiting>,
    receives: u64,
    /// What the next receive is answered with instead.
    refusals: Vec<ServiceError>,
}

#[derive(Clone, Debug)]
struct Waiting {
    queue: String,
    body: String,
    group: Option<String>,
    visible_at: Timestamp,
    receives: u32,
}

impl Queues {
    pub(crate) fn new(env: &Env) -> Self {
        Self { env: env.clone(), inner: Arc::default(), told: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.messages.lock().expect("no panic")
    }

    /// Sends a message, which is acknowledged.
    pub(crate) fn send(&self, queue: &str, group: Option<&str>, body: impl Into<String>) {
        let mut state = self.lock();
        state.number += 1;
        let number = state.number;
        let (queue, group, visible_at) = (queue.to_owned(), group.map(str::to_owned), self.env.now());
        state.waiting.insert(number, Waiting { queue, body: body.into(), group, visible_at, receives: 0 });
        self.inner.arrived.notify_waiters();
    }

    /// The bodies of messages that were not deleted, and how often each was received.
    pub(crate) fn left(&self) -> Vec<(String, u32)> {
        self.lock().waiting.values().map(|waiting| (waiting.body.clone(), waiting.receives)).collect()
    }

    /// How many receives were asked for.
    pub(crate) fn receives(&self) -> u64 {
        self.lock().receives
    }

    /// The next receive is answered so.
    pub(crate) fn refuse(&self, error: ServiceError) {
        self.lock().refusals.push(error);
    }

    pub(crate) fn service(&self) -> Service {
        Service::of(&SERVICE, self.clone())
            .operation(Access::<ReceiveMessage>::free("sqs:ReceiveMessage"), receive)
            .operation(Access::<DeleteMessageBatch>::free("sqs:DeleteMessage"), delete)
            .operation(Access::<GetQueueAttributes>::free("sqs:GetQueueAttributes"), attributes)
            .operation(
                Access::<SendMessage>::new("sqs:SendMessage", |input, _| {
                    let (region, account) = (Region::default(), AccountId::DEVELOPMENT);
                    vec![Arn::regional("sqs", &region, account, name(&input.queue_url)).into()]
                }),
                send_message,
            )
            .build()
    }

    /// The first visible messages; of a group in flight, none.
    fn take(&self, queue: &str, limit: usize) -> Vec<Message> {
        let (mut state, now, mut taken) = (self.lock(), self.env.now(), Vec::new());
        let is_in_flight = |one: &Waiting| one.queue == queue && one.receives > 0 && one.visible_at > now;
        let groups: Vec<_> = state
            .waiting
            .values()
            .filter(|one| is_in_flight(one))
            .filter_map(|one| one.group.clone())
            .collect();
        for (number, one) in &mut state.waiting {
            let is_locked = one.group.as_ref().is_some_and(|group| groups.contains(group));
            if taken.len() == limit || one.queue != queue || one.visible_at > now || is_locked {
                continue;
            }
            (one.visible_at, one.receives) = (now + VISIBILITY, one.receives + 1);
            let mut attributes =
                BTreeMap::from([("ApproximateReceiveCount".to_owned(), one.receives.to_string())]);
            attributes.extend(one.group.clone().map(|group| ("MessageGroupId".to_owned(), group)));
            taken.push(Message {
                message_id: Some(format!("message-{number}")),
                receipt_handle: Some(format!("{number}/{}", one.receives)),
                body: Some(one.body.clone()),
                md5_of_body: Some("digest".into()),
                attributes: Some(attributes),
                ..Message::default()
            });
        }
        taken
    }

    fn next_visible(&self) -> Timestamp {
        let now = self.env.now();
        let times = self.lock().waiting.values().map(|one| one.visible_at).filter(|at| *at > now).min();
        times.unwrap_or(now + Duration::from_hours(1))
    }
}

fn name(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn receive(
    queues: Arc<Queues>,
    context: Context,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, ServiceError> {
    let is_worker = |role: &str| role == "worker" || role == "other";
    let as_role = matches!(&context.caller.principal, Principal::RoleSession { role, .. } if is_worker(role));
    assert!(as_role, "received as {}", context.caller.principal);
    queues.lock().receives += 1;
    if let Some(error) = queues.lock().refusals.pop() {
        return Err(error);
    }
    let env = &queues.env;
    let deadline =
        env.now() + Duration::from_secs(input.wait_time_seconds.unwrap_or(0).unsigned_abs().into());
    loop {
        let arrived = queues.inner.arrived.notified();
        let taken = queues
            .take(&name(&input.queue_url), input.max_number_of_messages.unwrap_or(1).unsigned_abs() as usize);
        if !taken.is_empty() || env.now() >= deadline {
            return Ok(ReceiveMessageResult { messages: Some(taken) });
        }
        let until = queues.next_visible().min(deadline);
        tokio::select! {
            biased;
            () = arrived => {}
            () = env.sleep_until(until) => {}
        }
    }
}

async fn delete(
    queues: Arc<Queues>,
    _: Context,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, ServiceError> {
    let (mut state, mut successful) = (queues.lock(), Vec::new());
    for entry in input.entries {
        let (number, receive) = entry.receipt_handle.split_once('/').expect("a handle");
        let number = number.parse().expect("a number");
        // Only the handle of the last receive deletes.
        if state.waiting.get(&number).is_some_and(|one| one.receives.to_string() == receive) {
            state.waiting.remove(&number);
            successful.push(DeleteMessageBatchResultEntry { id: entry.id });
        }
    }
    drop(state);
    queues.inner.arrived.notify_waiters();
    Ok(DeleteMessageBatchResult { successful, failed: Vec::new() })
}

async fn attributes(
    _: Arc<Queues>,
    _: Context,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, ServiceError> {
    if name(&input.queue_url) == "absent" {
        return Err(ServiceError::common(Common::Validation, "The specified queue does not exist."));
    }
    let seconds = VISIBILITY.as_secs().to_string();
    Ok(GetQueueAttributesResult {
        attributes: Some(BTreeMap::from([("VisibilityTimeout".to_owned(), seconds)])),
    })
}
