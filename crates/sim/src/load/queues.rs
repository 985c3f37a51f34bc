//! SQS: several producers and consumers on each queue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, DeleteMessage, DeleteMessageRequest, GetQueueUrl, GetQueueUrlRequest,
    ReceiveMessage, ReceiveMessageRequest, SendMessage, SendMessageRequest,
};
use apus_schema::ServiceError;

use super::{Client, is_absent};
use crate::history::Verdict;
use crate::messages::Receive;
use crate::value;

/// Queues and their visibility timeouts, in seconds.
pub(crate) const QUEUES: [(&str, u64); 2] = [("quick", 1), ("slow", 6)];
/// The longest visibility timeout that consumers ask for, in seconds.
const VISIBILITY_SECS_MAX: u64 = 8;
/// The longest delay that producers ask for, in seconds.
const DELAY_SECS_MAX: u64 = 3;
/// After so long without consumers every message can be received, whatever came before.
pub(crate) const RETURNS_WITHIN_SECS: u64 = 10;
/// How long a drain keeps messages to itself, in seconds.
const DRAIN_SECS: u64 = 20;

/// All that is known of a queue is that it is there.
const THERE: u64 = 0;

/// The history's name of a queue.
pub(crate) fn queue_key(queue: &str) -> String {
    format!("queue {queue}")
}

pub(super) fn url(queue: &str) -> String {
    format!("http://127.0.0.1:4566/000000000000/{queue}")
}

pub(super) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    for (queue, visibility) in QUEUES {
        create(client, queue, visibility).await?;
    }
    Ok(())
}

async fn create(client: &Client, queue: &str, visibility: u64) -> Result<(), ServiceError> {
    let attributes = BTreeMap::from([("VisibilityTimeout".to_owned(), visibility.to_string())]);
    let input = CreateQueueRequest {
        queue_name: queue.into(),
        attributes: Some(attributes),
        ..CreateQueueRequest::default()
    };
    let call = client.call::<CreateQueue>(input);
    client.history.write(&queue_key(queue), Some(THERE), call).await.map(drop)
}

/// Whether a queue is there; nothing if that could not be learnt.
pub(crate) async fn find_queue(client: &Client, queue: &str) -> Option<Option<u64>> {
    let input = GetQueueUrlRequest { queue_name: queue.into(), ..GetQueueUrlRequest::default() };
    let answer = client.call::<GetQueueUrl>(input).await;
    client.history.heard("sqs find", &answer);
    match answer {
        Ok(_) => Some(Some(THERE)),
        Err(error) => is_absent(&error).then_some(None),
    }
}

pub(super) async fn produce(client: &Client) {
    let (queue, visibility) = QUEUES[client.below(QUEUES.len() as u64) as usize];
    if client.below(30) == 0 {
        let answer = create(client, queue, visibility).await;
        if Verdict::of(&answer) == Verdict::Refused {
            client.history.violation(format!("{queue} is there, and is refused: {answer:?}"));
        }
        return;
    }
    let token = client.history.token();
    let delay_seconds = (client.below(6) == 0).then(|| client.below(DELAY_SECS_MAX + 1) as i32);
    let input = SendMessageRequest {
        queue_url: url(queue),
        message_body: value::text(token),
        delay_seconds,
        ..SendMessageRequest::default()
    };
    client.history.sending(token, queue);
    let answer = client.call::<SendMessage>(input).await;
    let verdict = Verdict::of(&answer);
    client.history.sent(
        token,
        answer.as_ref().map(|sent| sent.message_id.as_deref().unwrap_or_default()).map_err(|_| verdict),
    );
    client.history.heard("sqs send", &answer);
}

pub(super) async fn consume(client: &Client) {
    let (queue, usual) = QUEUES[client.below(QUEUES.len() as u64) as usize];
    let asked = (client.below(3) == 0).then(|| 1 + client.below(VISIBILITY_SECS_MAX));
    let wish = Wish {
        visibility: asked,
        lasts: Duration::from_secs(asked.unwrap_or(usual)),
        wait_secs: client.below(3),
        count: 1 + client.below(10),
    };
    let (receive, messages) = receive(client, queue, wish).await.unwrap_or_default();
    for (token, handle) in messages {
        match client.below(200) {
            0..20 => continue,
            20 => client.env.sleep(Duration::from_millis(client.below(2_000))).await,
            _ => {}
        }
        delete(client, queue, token, handle, receive).await;
    }
}

async fn delete(client: &Client, queue: &str, token: u64, handle: String, receive: Receive) {
    client.history.deleting(token);
    let input = DeleteMessageRequest { queue_url: url(queue), receipt_handle: handle };
    let answer = client.call::<DeleteMessage>(input).await;
    client.history.heard("sqs delete", &answer);
    // Only the latest receive's handle deletes: later than that another may have come between.
    let surely_latest = client.env.monotonic() < receive.earliest + receive.visibility;
    if answer.is_ok() && surely_latest {
        client.history.deleted(token);
    }
}

/// What a consumer asks.
struct Wish {
    visibility: Option<u64>,
    lasts: Duration,
    wait_secs: u64,
    count: u64,
}

/// Receives once: the numbers of the messages, with their handles.
async fn receive(client: &Client, queue: &str, wish: Wish) -> Option<(Receive, Vec<(u64, String)>)> {
    let input = ReceiveMessageRequest {
        queue_url: url(queue),
        max_number_of_messages: Some(wish.count as i32),
        visibility_timeout: wish.visibility.map(|secs| secs as i32),
        wait_time_seconds: Some(wish.wait_secs as i32),
        ..ReceiveMessageRequest::default()
    };
    let (began, earliest) = (client.history.tick(), client.env.monotonic());
    let answer = client.call::<ReceiveMessage>(input).await;
    client.history.heard("sqs receive", &answer);
    let receive = Receive { began, earliest, latest: client.env.monotonic(), visibility: wish.lasts };
    let mut received = Vec::new();
    for message in answer.ok()?.messages.unwrap_or_default() {
        let body = message.body.unwrap_or_default();
        let Some(token) = value::read_text(&body) else {
            client.history.violation(format!("{queue}: torn or foreign: {body}"));
            continue;
        };
        client.history.received(token, queue, &message.message_id.unwrap_or_default(), receive);
        received.push((token, message.receipt_handle.unwrap_or_default()));
    }
    Some((receive, received))
}

/// Receives until there is nothing more, and deletes nothing; nothing if a receive fails.
pub(crate) async fn receive_all(client: &Client, queue: &str) -> Option<BTreeSet<u64>> {
    let mut seen = BTreeSet::new();
    loop {
        let wish = Wish {
            visibility: Some(DRAIN_SECS),
            lasts: Duration::from_secs(DRAIN_SECS),
            wait_secs: 0,
            count: 10,
        };
        let (_, messages) = receive(client, queue, wish).await?;
        if messages.is_empty() {
            return Some(seen);
        }
        seen.extend(messages.into_iter().map(|(token, _)| token));
    }
}

/// Lets a drain's messages come back.
pub(crate) async fn after_drain(client: &Client) {
    client.env.sleep(Duration::from_secs(DRAIN_SECS + 1)).await;
}
