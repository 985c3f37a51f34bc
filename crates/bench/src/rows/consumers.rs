//! A hundred consumers on one queue against ten: they must not stand in each other's way.
//!
//! Each slice has a queue of its own that was filled before, and ends when it is empty or its time is over.

use std::path::Path;

use apus_env::Env;
use serde_json::json;

use super::{sends, subdir};
use crate::client::{Api, Connection};
use crate::figures::{Figures, number};
use crate::in_process::{DirectCaller, DirectConsumer, DirectSender, InProcess};
use crate::instance::Instance;
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::table::{Goal, Row};

const FEW: usize = 10;
const MANY: usize = 100;
const BODY_BYTES: usize = 256;
/// Slices of each side: filling the queues takes most of the time.
const SLICES_MAX: usize = 5;

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let slices = options.slices().min(SLICES_MAX);
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let [mut few, mut many] = [(); 2].map(|()| Figures::new("/s"));
    for turn in 0..slices {
        for (count, figures) in [(FEW, &mut few), (MANY, &mut many)] {
            let name = format!("consumers-{turn}-{count}");
            figures.push(over_http(env, instance.api(), options, &name, count).await?);
        }
    }
    instance.stop(env).await;

    let here = InProcess::start(env, &subdir(dir, "here")?).await?;
    let [mut few_here, mut many_here] = [(); 2].map(|()| Figures::new("/s"));
    let [mut few_store, mut many_store] = [StoreCounts::default(); 2];
    for turn in 0..slices {
        for (count, figures, counts) in
            [(FEW, &mut few_here, &mut few_store), (MANY, &mut many_here, &mut many_store)]
        {
            let name = format!("consumers-{turn}-{count}");
            figures.push(in_process(env, &here, options, &name, count, counts).await?);
        }
    }
    here.stop().await;

    let goal = Goal::RatioAtLeast(0.8);
    let what = |place| format!("messages received and deleted by {MANY} consumers, {place}");
    let against = format!("by {FEW} consumers");
    Ok(vec![
        Row::new(what("over HTTP"), &many, goal).against(&against, &few).note(
            "each receives up to ten messages and deletes them one by one; signing each delete is the client's share of the cost",
        ),
        Row::new(what("through the door in process"), &many_here, goal)
            .against(against, &few_here)
            .note(format!("{MANY} consumers: {}; {FEW} consumers: {}", many_store.show(), few_store.show())),
    ])
}

/// Messages per second that consumers take from a full queue.
async fn over_http(env: &Env, api: &Api, options: &Options, name: &str, count: usize) -> Result<f64, String> {
    let queue_url = api.create_queue(name).await?;
    sends::preload(env, api, &queue_url, options.clients, options.messages()).await?;
    let receive = api.sqs("ReceiveMessage", &json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10 }))?;
    let consumers = api.connections(count).await?.into_iter().map(|connection| Consumer {
        api: api.clone(),
        connection,
        queue_url: queue_url.clone(),
        receive: receive.clone(),
    });
    let slice = drive(env, consumers.collect(), Limit::span(options.slice())).await?;
    Ok(slice.per_second)
}

/// The same through the door, adding up what the store counts meanwhile.
async fn in_process(
    env: &Env,
    here: &InProcess,
    options: &Options,
    name: &str,
    count: usize,
    counts: &mut StoreCounts,
) -> Result<f64, String> {
    let caller = here.caller();
    let queue_url = caller.create_queue(name).await?;
    let body = "x".repeat(BODY_BYTES);
    let sender = |caller: &DirectCaller| DirectSender {
        caller: caller.clone(),
        queue_url: queue_url.clone(),
        body: body.clone(),
    };
    let senders = (0..options.clients).map(|_| sender(&caller)).collect();
    drive(env, senders, Limit::steps(options.messages())).await?;
    let before = here.store.metrics();
    let consumers =
        (0..count).map(|_| DirectConsumer { caller: caller.clone(), queue_url: queue_url.clone() }).collect();
    let slice = drive(env, consumers, Limit::span(options.slice())).await?;
    let after = here.store.metrics();
    counts.commits += after.commits - before.commits;
    counts.conflicts += after.conflicts - before.conflicts;
    counts.batches += after.batches - before.batches;
    Ok(slice.per_second)
}

#[derive(Clone, Copy, Default)]
struct StoreCounts {
    commits: u64,
    conflicts: u64,
    batches: u64,
}

impl StoreCounts {
    fn show(self) -> String {
        let of = |count: u64, all: u64| number(count as f64 / all.max(1) as f64);
        let Self { commits, conflicts, batches } = self;
        format!(
            "{} conflicts per commit ({conflicts} of {commits}), {} commits per sync",
            of(conflicts, commits),
            of(commits, batches)
        )
    }
}

/// Receives ten messages over HTTP and deletes them; ends all when the queue is empty.
struct Consumer {
    api: Api,
    connection: Connection,
    queue_url: String,
    receive: Vec<u8>,
}

impl Client for Consumer {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let answer = self.connection.exchange(&self.receive).await?.json()?;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        for message in &messages {
            let receipt = &message["ReceiptHandle"];
            let input = json!({ "QueueUrl": self.queue_url, "ReceiptHandle": receipt });
            let request = self.api.sqs("DeleteMessage", &input)?;
            self.connection.exchange(&request).await?.ok()?;
        }
        Ok((!messages.is_empty()).then_some(messages.len() as u64))
    }
}
