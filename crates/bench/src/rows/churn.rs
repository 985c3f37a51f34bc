//! Messages that live shortly, many of them: what of them stays on the disk, and what a restart makes of it.

use std::path::Path;

use apus_env::Env;
use serde_json::{Value, json};

use super::sends::batch_request;
use super::{bytes_beneath, subdir};
use crate::client::{Api, Connection};
use crate::figures::Figures;
use crate::instance::Instance;
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::table::{Goal, Row};

/// Messages of a batch: the most that SQS takes.
const BATCH: usize = 10;
const CLIENTS: usize = 32;
/// After each of so many parts of the messages one looks at the disk.
const LOOKS: u64 = 50;
const BODY_BYTES: u64 = 256;

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let messages = u64::from(options.churn());
    let data = subdir(dir, "data")?;
    let mut instance = Instance::start(env, &options.apus, &data).await?;
    let queue_url = instance.api().create_queue("churn").await?;
    let mut clients = turners(instance.api(), &queue_url).await?;
    let (mut rate, mut disk, mut restarts) = (Figures::new("/s"), Figures::new("MB"), Figures::new("ms"));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    for _ in 0..LOOKS {
        // All of them together may take longer than a signature is good for.
        clients.iter_mut().try_for_each(Turner::sign)?;
        let slice = drive(env, clients, Limit::steps(messages / LOOKS / BATCH as u64)).await?;
        rate.push(slice.per_second);
        disk.push(mib(bytes_beneath(&data)));
        clients = slice.clients;
    }
    drop(clients);
    instance.kill();
    instance = Instance::start(env, &options.apus, &data).await?;
    restarts.push_ms(instance.first_answer);
    let left = json!({ "QueueUrl": queue_url, "AttributeNames": ["ApproximateNumberOfMessages"] });
    let left = call(instance.api(), "GetQueueAttributes", &left).await?;
    let left = left["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap_or("?").to_owned();
    let mut after = Figures::new("MB");
    after.push(mib(bytes_beneath(&data)));
    instance.stop(env).await;
    let bodies = format!("their bodies alone: {:.0} MB", mib(messages * BODY_BYTES));
    Ok(vec![
        Row::new(
            format!("{messages} messages sent, received and deleted over HTTP, ten a request"),
            &rate,
            Goal::None,
        )
        .note(format!("{left} of them were left in the queue after SIGKILL")),
        Row::new("the data directory meanwhile", &disk, Goal::None).note(bodies),
        Row::new("the data directory after SIGKILL and restart", &after, Goal::None),
        Row::new("restart after it", &restarts, Goal::MedianAtMost(1_000.0)),
    ])
}

async fn turners(api: &Api, queue_url: &str) -> Result<Vec<Turner>, String> {
    let connections = api.connections(CLIENTS).await?.into_iter();
    let turner = |connection| Turner {
        api: api.clone(),
        connection,
        queue_url: queue_url.to_owned(),
        send: Vec::new(),
        receive: Vec::new(),
    };
    Ok(connections.map(turner).collect())
}

async fn call(api: &Api, operation: &str, input: &Value) -> Result<Value, String> {
    api.connect().await?.exchange(&api.sqs(operation, input)?).await?.json()
}

/// Sends messages, receives as many and deletes them.
struct Turner {
    api: Api,
    connection: Connection,
    queue_url: String,
    send: Vec<u8>,
    receive: Vec<u8>,
}

impl Turner {
    /// Signs its requests that do not change. To be done before its first step.
    fn sign(&mut self) -> Result<(), String> {
        let receive = json!({ "QueueUrl": self.queue_url, "MaxNumberOfMessages": BATCH });
        self.receive = self.api.sqs("ReceiveMessage", &receive)?;
        self.send = batch_request(&self.api, &self.queue_url, BATCH)?;
        Ok(())
    }
}

impl Client for Turner {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        self.connection.exchange(&self.send).await?.ok()?;
        let mut missing = BATCH;
        while missing > 0 {
            let answer = self.connection.exchange(&self.receive).await?.json()?;
            let messages = answer["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
            // The others have taken them, and leave theirs.
            if messages.is_empty() {
                break;
            }
            let entry = |(at, message): (usize, &Value)| json!({ "Id": at.to_string(), "ReceiptHandle": message["ReceiptHandle"] });
            let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
            missing = missing.saturating_sub(messages.len());
            let delete = json!({ "QueueUrl": self.queue_url, "Entries": entries });
            self.connection.exchange(&self.api.sqs("DeleteMessageBatch", &delete)?).await?.ok()?;
        }
        Ok(Some(BATCH as u64))
    }
}
