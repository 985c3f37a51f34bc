//! Durable queue sends, against the store's own group commit, against batched append + fdatasync of as many bytes, and
//! against servers that do nothing but answer: what any server could reach here with these clients.

mod denominators;
mod sides;

use std::path::Path;

use apus_env::Env;
use serde_json::json;

use self::denominators::RECORDS_PER_SYNC;
use self::sides::Sides;
use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::{Figures, number};
use crate::load::{Client, Limit, Slice, drive};
use crate::options::Options;
use crate::side::Side;
use crate::table::{Goal, Row};

const BODY_BYTES: usize = 256;
/// Messages in one `SendMessageBatch`: the most that SQS takes.
const BATCH: usize = 10;
/// What a server that only answers is called, and one that commits before it answers.
const BARE: &str = "bare hyper, same bytes, nothing stored";
const BARE_KEEPING: &str = "bare hyper that commits, same bytes";

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let mut sides = Sides::start(env, options, dir).await?;
    for turn in 0..=options.slices() {
        sides.turn(env, Limit::span(options.slice()), turn == 0).await?;
    }
    let mut rows = sends(options, &sides);
    rows.extend(ceilings(options, &sides));
    sides.stop(env).await;
    Ok(rows)
}

/// The platform's sends, each way against both denominators.
fn sends(options: &Options, sides: &Sides) -> Vec<Row> {
    let against = |way: &str, rate: &Figures| {
        let row = |least| Row::new(what(options, way), rate, Goal::RatioAtLeast(least));
        [
            row(0.5).against(store_side(options), &sides.commits.rate),
            row(0.3).against(file_side(), &sides.appends.rate),
        ]
    };
    let direct = against("through the door in process", &sides.calls.rate);
    let [http_store, http_file] = against("over HTTP", &sides.sends.rate);
    let [ten_store, ten_file] = against("over HTTP, ten a request", &sides.batches.rate);
    let Side { latency, processor, .. } = &sides.sends;
    let http_store = http_store
        .note(format!("a send takes {latency}, of the platform's processors {processor}"))
        .note(format!("a send writes {} bytes, as each record of both denominators does", sides.bytes))
        .note(format!(
            "the denominator's store makes {} commits durable with one sync",
            number(sides.commits_per_sync())
        ));
    let ten_store =
        ten_store.note(format!("a message takes {} of the platform's processors", sides.batches.processor));
    direct.into_iter().chain([http_store, http_file, ten_store, ten_file]).collect()
}

/// What the bare servers reach, and the platform's sends against it.
fn ceilings(options: &Options, sides: &Sides) -> Vec<Row> {
    let takes = |side: &Side<Sender>| {
        format!("a request takes {}, of the server's processors {}", side.latency, side.processor)
    };
    let keeping = &sides.kept_answers;
    let http = || Row::new(what(options, "over HTTP"), &sides.sends.rate, Goal::None);
    vec![
        Row::new(BARE, &sides.answers.rate, Goal::None).note(takes(&sides.answers)),
        Row::new(BARE_KEEPING, &keeping.rate, Goal::None)
            .against(store_side(options), &sides.commits.rate)
            .note(takes(keeping)),
        Row::new(BARE_KEEPING, &keeping.rate, Goal::None).against(file_side(), &sides.appends.rate),
        http().against(BARE, &sides.answers.rate),
        http().against(BARE_KEEPING, &keeping.rate),
    ]
}

fn what(options: &Options, way: &str) -> String {
    let s = if options.queues == 1 { "" } else { "s" };
    format!(
        "durable sends {way}, {} clients, {} queue{s}, {BODY_BYTES} bytes",
        options.clients, options.queues
    )
}

fn store_side(options: &Options) -> String {
    format!("the store's group commit, {} writers", options.clients)
}

fn file_side() -> String {
    format!("append + fdatasync, {RECORDS_PER_SYNC} records a sync")
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
