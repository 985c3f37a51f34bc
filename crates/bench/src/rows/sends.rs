//! Durable queue sends, against the store's own group commit and against batched append + fdatasync of as many bytes.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use apus_env::Env;
use apus_store::{Key, Store, StoreError};
use serde_json::json;

use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::{Figures, number};
use crate::in_process::{DirectSender, InProcess};
use crate::instance::{Instance, processor_time};
use crate::load::{Client, Limit, Slice, drive};
use crate::options::Options;
use crate::table::{Goal, Row};

const BODY_BYTES: usize = 256;
/// Sends that show how many bytes one writes.
const CALIBRATING_SENDS: u64 = 1_000;
/// Messages in one `SendMessageBatch`: the most that SQS takes.
const BATCH: usize = 10;
/// Records in one append + fdatasync.
const RECORDS_PER_SYNC: usize = 128;

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let bytes = bytes_per_send(env, options, &subdir(dir, "calibration")?).await?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let here = InProcess::start(env, &subdir(dir, "here")?).await?;
    let mut senders = senders(instance.api(), options, 1).await?;
    let mut batchers = self::senders(instance.api(), options, BATCH).await?;
    let mut callers = direct_senders(&here, options).await?;
    let store = Store::open_dir(env, subdir(dir, "store")?).map_err(|error| error.to_string())?;
    let mut writers: Vec<Writer> =
        (0..options.clients).map(|number| Writer { store: store.clone(), number, next: 0, bytes }).collect();
    let mut appender = vec![Appender::new(&dir.join("append"), bytes)?];

    let [mut sends, mut batches, mut calls, mut commits, mut appends] = [(); 5].map(|()| Figures::new("/s"));
    let [mut latency, mut processor, mut batch_processor] = [(); 3].map(|()| Figures::new("us"));
    // The first turn warms up.
    for turn in 0..=options.slices() {
        let before = processor_time(instance.processes());
        let sent = drive(env, senders, Limit::span(options.slice())).await?;
        let spent = processor_time(instance.processes()).saturating_sub(before);
        let before = processor_time(instance.processes());
        let batched = drive(env, batchers, Limit::span(options.slice())).await?;
        let batch_spent = processor_time(instance.processes()).saturating_sub(before);
        let called = drive(env, callers, Limit::span(options.slice())).await?;
        let committed = drive(env, writers, Limit::span(options.slice())).await?;
        let appended = drive(env, appender, Limit::span(options.slice())).await?;
        if turn > 0 {
            sends.push(sent.per_second);
            processor.push(spent.as_secs_f64() * 1e6 / sent.micros.len().max(1) as f64);
            batches.push(batched.per_second);
            let messages = (batched.micros.len() * BATCH).max(1) as f64;
            batch_processor.push(batch_spent.as_secs_f64() * 1e6 / messages);
            calls.push(called.per_second);
            commits.push(committed.per_second);
            appends.push(appended.per_second);
            latency.extend(sent.micros);
        }
        (senders, batchers, callers) = (sent.clients, batched.clients, called.clients);
        (writers, appender) = (committed.clients, appended.clients);
    }
    let metrics = store.metrics();
    drop(writers);
    store.close().await;
    drop(callers);
    here.stop().await;
    instance.stop(env).await;

    let what = |way: &str| {
        let s = if options.queues == 1 { "" } else { "s" };
        format!(
            "durable sends {way}, {} clients, {} queue{s}, {BODY_BYTES} bytes",
            options.clients, options.queues
        )
    };
    let store_side = format!("the store's group commit, {} writers", options.clients);
    let file_side = format!("append + fdatasync, {RECORDS_PER_SYNC} records a sync");
    let grouped = metrics.commits as f64 / metrics.batches.max(1) as f64;
    let direct = what("through the door in process");
    let direct_against_store =
        Row::new(&direct, &calls, Goal::RatioAtLeast(0.5)).against(&store_side, &commits);
    let direct_against_file = Row::new(direct, &calls, Goal::RatioAtLeast(0.3)).against(&file_side, &appends);
    let http = what("over HTTP");
    let against_store = Row::new(&http, &sends, Goal::RatioAtLeast(0.5))
        .against(&store_side, &commits)
        .note(format!("a send takes {latency}, of the platform's processors {processor}"))
        .note(format!("a send writes {bytes} bytes, as each record of both denominators does"))
        .note(format!("the denominator's store makes {} commits durable with one sync", number(grouped)));
    let against_file = Row::new(http, &sends, Goal::RatioAtLeast(0.3)).against(&file_side, &appends);
    let ten = what("over HTTP, ten a request");
    let ten_against_store = Row::new(&ten, &batches, Goal::RatioAtLeast(0.5))
        .against(store_side, &commits)
        .note(format!("a message takes {batch_processor} of the platform's processors"));
    let ten_against_file = Row::new(ten, &batches, Goal::RatioAtLeast(0.3)).against(file_side, &appends);
    Ok(vec![
        direct_against_store,
        direct_against_file,
        against_store,
        against_file,
        ten_against_store,
        ten_against_file,
    ])
}

/// What a send writes into the store, in bytes, at the concurrency that is measured.
async fn bytes_per_send(env: &Env, options: &Options, dir: &Path) -> Result<usize, String> {
    let here = InProcess::start(env, dir).await?;
    let caller = here.caller();
    let queue_url = caller.create_queue("calibration").await?;
    let body = "x".repeat(BODY_BYTES);
    let one = || DirectSender { caller: caller.clone(), queue_url: queue_url.clone(), body: body.clone() };
    let before = here.store.metrics();
    drive(env, (0..options.clients).map(|_| one()).collect(), Limit::steps(CALIBRATING_SENDS)).await?;
    let written = here.store.metrics().bytes_written - before.bytes_written;
    here.stop().await;
    Ok((written / CALIBRATING_SENDS) as usize)
}

/// Clients of the queues, spread evenly; each request sends so many messages.
async fn senders(api: &Api, options: &Options, messages: usize) -> Result<Vec<Sender>, String> {
    let mut requests = Vec::new();
    for number in 0..options.queues.max(1) {
        let queue_url = api.create_queue(&format!("sends-{number}")).await?;
        requests.push(if messages == 1 {
            send_request(api, &queue_url)?
        } else {
            batch_request(api, &queue_url, messages)?
        });
    }
    let connections = api.connections(options.clients).await?;
    let requests = requests.into_iter().cycle();
    Ok(connections
        .into_iter()
        .zip(requests)
        .map(|(connection, request)| Sender { connection, request, messages: messages as u64 })
        .collect())
}

/// Callers of the queues' operations in this process, spread as the clients are.
async fn direct_senders(here: &InProcess, options: &Options) -> Result<Vec<DirectSender>, String> {
    let caller = here.caller();
    let mut queues = Vec::new();
    for number in 0..options.queues.max(1) {
        queues.push(caller.create_queue(&format!("sends-{number}")).await?);
    }
    let one = |queue_url| DirectSender { caller: caller.clone(), queue_url, body: "x".repeat(BODY_BYTES) };
    Ok(queues.into_iter().cycle().take(options.clients).map(one).collect())
}

/// A send to that queue.
pub(super) fn send_request(api: &Api, queue_url: &str) -> Result<Vec<u8>, String> {
    api.sqs("SendMessage", &json!({ "QueueUrl": queue_url, "MessageBody": "x".repeat(BODY_BYTES) }))
}

/// So many sends to that queue at once.
pub(super) fn batch_request(api: &Api, queue_url: &str, messages: usize) -> Result<Vec<u8>, String> {
    let body = "x".repeat(BODY_BYTES);
    let entries: Vec<_> =
        (0..messages).map(|id| json!({ "Id": id.to_string(), "MessageBody": body })).collect();
    api.sqs("SendMessageBatch", &json!({ "QueueUrl": queue_url, "Entries": entries }))
}

/// Sends the same request again and again over HTTP.
pub(super) struct Sender {
    pub(super) connection: Connection,
    pub(super) request: Vec<u8>,
    /// Messages in the request.
    pub(super) messages: u64,
}

impl Client for Sender {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        self.connection.exchange(&self.request).await?.ok()?;
        Ok(Some(self.messages))
    }
}

/// Commits one value after the other into a store.
struct Writer {
    store: Store,
    number: usize,
    next: u64,
    bytes: usize,
}

impl Client for Writer {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let key = Key::of(("bench", self.number as u64, self.next));
        self.next += 1;
        let value = vec![b'x'; self.bytes.saturating_sub(key.as_bytes().len())];
        let done = self.store.transact(|tx| {
            tx.put(&key, value.clone());
            async { Ok::<_, StoreError>(()) }
        });
        done.await.map_err(|error| error.to_string())?;
        Ok(Some(1))
    }
}

/// Appends records to a file, many with one sync.
struct Appender {
    file: File,
    records: Vec<u8>,
}

impl Appender {
    fn new(path: &Path, bytes: usize) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file, records: vec![b'x'; bytes * RECORDS_PER_SYNC] })
    }
}

impl Client for Appender {
    const BLOCKS: bool = true;

    async fn step(&mut self) -> Result<Option<u64>, String> {
        let written = self.file.write_all(&self.records).and_then(|()| self.file.sync_data());
        written.map_err(|error| format!("append: {error}"))?;
        Ok(Some(RECORDS_PER_SYNC as u64))
    }
}

/// Fills a queue with so many messages; how that went.
pub(super) async fn preload(
    env: &Env,
    api: &Api,
    queue_url: &str,
    clients: usize,
    messages: u64,
) -> Result<Slice<Sender>, String> {
    let request = send_request(api, queue_url)?;
    let connections = api.connections(clients).await?;
    let senders = connections
        .into_iter()
        .map(|connection| Sender { connection, request: request.clone(), messages: 1 })
        .collect();
    drive(env, senders, Limit::steps(messages)).await
}
