//! Event source mappings: queues whose messages a function is given.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_model_iam::{PutRolePolicy, PutRolePolicyRequest};
use apus_model_lambda::{CreateEventSourceMapping, CreateEventSourceMappingRequest, CreateFunction};
use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, GetQueueAttributes, GetQueueAttributesRequest, QueueAttributeName,
    SendMessage, SendMessageRequest,
};
use apus_schema::ServiceError;
use serde_json::Value;

use super::{Client, WORKER, functions, is_made, queues};
use crate::history::{History, Verdict};
use crate::value;

const HANDLER: &str = "handler";
const FIFO: &str = "mapped.fifo";
const MAPPED: [&str; 2] = ["mapped", FIFO];
/// The function's timeout, and no more: what is lost comes back soon.
const VISIBILITY_SECS: &str = "3";
/// After so long every message was handled, whatever came before.
const HANDLED_WITHIN: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(200);

pub(crate) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    let statement = r#"{"Effect":"Allow","Action":"sqs:*","Resource":"*"}"#;
    let policy = PutRolePolicyRequest {
        role_name: WORKER.into(),
        policy_name: "mappings".into(),
        policy_document: format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#),
    };
    client.call::<PutRolePolicy>(policy).await?;
    let function = functions::request(HANDLER, client.history.token(), 0);
    is_made(client.call::<CreateFunction>(function).await.map(drop))?;
    for queue in MAPPED {
        let text = |text: &str| text.to_owned();
        let mut attributes = BTreeMap::from([(text("VisibilityTimeout"), text(VISIBILITY_SECS))]);
        if queue == FIFO {
            attributes.insert(text("FifoQueue"), text("true"));
        }
        let input = CreateQueueRequest {
            queue_name: queue.into(),
            attributes: Some(attributes),
            ..Default::default()
        };
        client.call::<CreateQueue>(input).await?;
        let mapping = CreateEventSourceMappingRequest {
            event_source_arn: Some(format!("arn:aws:sqs:us-east-1:000000000000:{queue}")),
            function_name: HANDLER.into(),
            batch_size: Some(4),
            ..Default::default()
        };
        client.call::<CreateEventSourceMapping>(mapping).await?;
    }
    Ok(())
}

/// Sends a message to one of the queues, to a group that nobody else sends to.
pub(super) async fn feed(client: &Client, group: u64) {
    let token = client.history.token();
    let queue = MAPPED[client.below(MAPPED.len() as u64) as usize];
    let group = (queue == FIFO).then(|| format!("g{group}"));
    client.history.feeding(token, group.clone());
    let input = SendMessageRequest {
        queue_url: queues::url(queue),
        message_body: value::text(token),
        message_deduplication_id: group.as_ref().map(|_| token.to_string()),
        message_group_id: group,
        ..SendMessageRequest::default()
    };
    let answer = client.call::<SendMessage>(input).await;
    client.history.heard("sqs feed", &answer);
    if Verdict::of(&answer) == Verdict::Done {
        client.history.fed(token);
    }
}

/// Notes what the function was given, if it is a batch.
pub(crate) fn note_batch(history: &History, payload: &[u8]) -> bool {
    let event: Value = serde_json::from_slice(payload).unwrap_or_default();
    let Some(records) = event.get("Records").and_then(Value::as_array) else { return false };
    for record in records {
        let body = record.get("body").and_then(Value::as_str).unwrap_or_default();
        match value::read_text(body) {
            Some(token) => history.handled(token),
            None => history.violation(format!("the function was given something torn or foreign: {body}")),
        }
    }
    true
}

/// Waits until the queues are empty; everything that was acknowledged was handled then.
pub(crate) async fn check(client: &Client) {
    let deadline = client.env.monotonic() + HANDLED_WITHIN;
    for queue in MAPPED {
        loop {
            match left(client, queue).await {
                Some(0) => break,
                Some(count) if client.env.monotonic() > deadline => {
                    client.history.violation(format!("{count} messages of {queue} are never handled"));
                    break;
                }
                Some(_) => client.env.sleep(GLANCE).await,
                None => return,
            }
        }
    }
    client.history.all_handled();
}

/// How many messages a queue has; nothing if that could not be learnt.
async fn left(client: &Client, queue: &str) -> Option<u64> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let input =
        GetQueueAttributesRequest { queue_url: queues::url(queue), attribute_names: Some(names.into()) };
    let answer = client.call::<GetQueueAttributes>(input).await;
    client.history.heard("sqs look", &answer);
    let counts = answer.ok()?.attributes.unwrap_or_default();
    Some(counts.values().filter_map(|count| count.parse::<u64>().ok()).sum())
}
