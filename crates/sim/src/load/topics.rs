//! SNS: several publishers on each topic, and a queue that is subscribed to each.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_model_sns::{CreateTopic, CreateTopicInput, Publish, PublishInput, Subscribe, SubscribeInput};
use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, DeleteMessage, DeleteMessageRequest, ReceiveMessage,
    ReceiveMessageRequest,
};
use apus_schema::ServiceError;

use super::{Client, is_made};
use crate::history::Verdict;
use crate::value;

/// A topic's name is that of its queue, too.
pub(crate) const TOPICS: [&str; 2] = ["news", FIFO];
const FIFO: &str = "orders.fifo";
/// Groups of the FIFO topic.
const GROUPS: [&str; 2] = ["a", "b"];
/// How long a message may be on its way when nothing else happens, in seconds: a queue's visibility timeout among it.
const ARRIVES_WITHIN_SECS: u64 = 100;
/// How long a drain waits before it looks again.
const LOOK_SECS: u64 = 10;
/// The visibility timeout of the queues.
const VISIBILITY_SECS: u64 = 30;

fn topic_arn(topic: &str) -> String {
    format!("arn:aws:sns:us-east-1:000000000000:{topic}")
}

fn queue_arn(topic: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{topic}")
}

fn is_fifo(topic: &str) -> bool {
    topic == FIFO
}

pub(super) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    for topic in TOPICS {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"sns.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{}"}}}}}}]}}"#,
            queue_arn(topic),
            topic_arn(topic)
        );
        let mut attributes = BTreeMap::from([
            ("Policy".to_owned(), policy),
            ("VisibilityTimeout".to_owned(), VISIBILITY_SECS.to_string()),
        ]);
        let mut own = BTreeMap::new();
        if is_fifo(topic) {
            attributes.insert("FifoQueue".into(), "true".into());
            own.insert("FifoTopic".to_owned(), "true".to_owned());
        }
        let input = CreateQueueRequest {
            queue_name: topic.into(),
            attributes: Some(attributes),
            ..CreateQueueRequest::default()
        };
        is_made(client.call::<CreateQueue>(input).await)?;
        let input =
            CreateTopicInput { name: topic.into(), attributes: Some(own), ..CreateTopicInput::default() };
        is_made(client.call::<CreateTopic>(input).await)?;
        let input = SubscribeInput {
            topic_arn: topic_arn(topic),
            protocol: "sqs".into(),
            endpoint: Some(queue_arn(topic)),
            attributes: Some(BTreeMap::from([("RawMessageDelivery".to_owned(), "true".to_owned())])),
            ..SubscribeInput::default()
        };
        is_made(client.call::<Subscribe>(input).await)?;
    }
    Ok(())
}

pub(super) async fn publish(client: &Client) {
    let topic = TOPICS[client.below(TOPICS.len() as u64) as usize];
    let group = is_fifo(topic).then(|| GROUPS[client.below(GROUPS.len() as u64) as usize]);
    let token = client.history.token();
    let input = PublishInput {
        topic_arn: Some(topic_arn(topic)),
        message: value::text(token),
        message_group_id: group.map(str::to_owned),
        message_deduplication_id: group.map(|_| token.to_string()),
        ..PublishInput::default()
    };
    client.history.publishing(token, topic, group);
    let answer = client.call::<Publish>(input).await;
    let verdict = Verdict::of(&answer);
    let number = answer.as_ref().map(|published| published.sequence_number.clone()).map_err(|_| verdict);
    client.history.published(token, number);
    client.history.heard("sns publish", &answer);
}

/// Waits for what is on its way to a topic's queue and takes it out; whether that could be done.
pub(crate) async fn collect(client: &Client, topic: &str) -> bool {
    for _ in 0..ARRIVES_WITHIN_SECS / LOOK_SECS {
        client.env.sleep(Duration::from_secs(LOOK_SECS)).await;
        loop {
            let input = ReceiveMessageRequest {
                queue_url: queue_arn(topic),
                max_number_of_messages: Some(10),
                ..ReceiveMessageRequest::default()
            };
            let answer = client.call::<ReceiveMessage>(input).await;
            client.history.heard("sns collect", &answer);
            let Ok(answer) = answer else { return false };
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let body = message.body.unwrap_or_default();
                match value::read_text(&body) {
                    Some(token) => client.history.arrived(token, topic),
                    None => client.history.violation(format!("{topic}: torn or foreign: {body}")),
                }
                let receipt_handle = message.receipt_handle.unwrap_or_default();
                let input = DeleteMessageRequest { queue_url: queue_arn(topic), receipt_handle };
                let answer = client.call::<DeleteMessage>(input).await;
                client.history.heard("sns collected", &answer);
                if answer.is_err() {
                    return false;
                }
            }
        }
        if client.history.owed_by_topic(topic) == 0 {
            break;
        }
    }
    true
}
