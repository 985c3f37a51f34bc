//! From a send to an idle queue to the handler that its mapping enters, against a warm invoke of the same function.
//!
//! Both sides read the host's clock: this program when it begins to send, the handler as it is entered. The function
//! has one environment, which remembers when it was entered until it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use apus_env::Env;
use serde_json::{Value, json};

use super::functions::{Functions, Kind};
use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::Figures;
use crate::instance::Instance;
use crate::options::Options;
use crate::python::Python;
use crate::table::{Goal, Row};

const NAME: &str = "mapped";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:mapped";
const MEMORY_MB: u32 = 1_769;
/// Tells when it was entered by which message, to whoever invokes it himself.
const SOURCE: &str = "import time
entered = {}
def handle(event, context):
    now = time.time_ns() // 1000
    if 'Records' in event:
        for record in event['Records']:
            entered[record['body']] = now
        return None
    taken = dict(entered)
    entered.clear()
    return taken
";
/// Between two sends, and between two invokes: the queue is idle, and so is the function.
const PAUSE: Duration = Duration::from_millis(20);
/// Sends of a slice for each so many invokes of one.
const SPARSE: u64 = 5;
/// A new mapping is enabled after at most so many looks.
const LOOKS_MAX: usize = 200;

/// Sends, invokes after the same pause, and invokes without one.
pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api()).await?;
    functions.allow("sqs:*").await?;
    functions.client(NAME, &Kind::python(&python, SOURCE)?, MEMORY_MB).await?;
    let mut side = Side::new(env, instance.api()).await?;
    let [mut sent, mut paced, mut invoked] = [(); 3].map(|()| Figures::new("us"));
    let count = (options.invokes() / SPARSE).max(1);
    // Its one environment stands before the first message, so that no message starts another.
    side.invoke(1, Duration::ZERO).await?;
    // The first turn warms up.
    for turn in 0..=options.slices() {
        let entered = side.send(count, turn).await?;
        let with_pause = side.invoke(count, PAUSE).await?;
        let without = side.invoke(count * SPARSE, Duration::ZERO).await?;
        if turn > 0 {
            sent.extend(entered);
            paced.extend(with_pause);
            invoked.extend(without);
        }
    }
    instance.stop(env).await;
    let what = format!("SQS send to handler entered, idle queue, {MEMORY_MB} MB");
    Ok(vec![
        Row::new(what.clone(), &sent, Goal::RatioAtMost(2.0))
            .against("warm invoke of the same function after the same pause", &paced)
            .note(
                "a send is durable before its message is handed out; an invoke is measured to its response",
            ),
        Row::new(what, &sent, Goal::None)
            .against("warm invoke of the same function, one after another", &invoked),
    ])
}

/// One connection that sends and invokes.
struct Side<'a> {
    env: &'a Env,
    api: &'a Api,
    connection: Connection,
    queue: String,
    request: Vec<u8>,
}

impl<'a> Side<'a> {
    async fn new(env: &'a Env, api: &'a Api) -> Result<Self, String> {
        // As long as the function may take, at least.
        let queue = api.create_queue_with(NAME, &json!({ "VisibilityTimeout": "120" })).await?;
        let path = format!("/2015-03-31/functions/{NAME}/invocations");
        let request = lambda(api, "POST", &path, &json!({}))?;
        let mut side = Self { env, api, connection: api.connect().await?, queue, request };
        let mapping = json!({ "EventSourceArn": QUEUE_ARN, "FunctionName": NAME });
        let made = side.call("POST", "/2015-03-31/event-source-mappings", &mapping).await?;
        let path = format!("/2015-03-31/event-source-mappings/{}", made["UUID"].as_str().unwrap_or_default());
        for _ in 0..LOOKS_MAX {
            if side.call("GET", &path, &Value::Null).await?["State"] == "Enabled" {
                return Ok(side);
            }
            env.sleep(PAUSE).await;
        }
        Err("the mapping did not become enabled".into())
    }

    async fn call(&mut self, method: &str, path: &str, input: &Value) -> Result<Value, String> {
        let request = lambda(self.api, method, path, input)?;
        self.connection.exchange(&request).await?.json()
    }

    /// Microseconds from each of so many sends to the handler.
    async fn send(&mut self, count: u64, turn: usize) -> Result<Vec<f64>, String> {
        let mut sent = BTreeMap::new();
        for number in 0..count {
            let body = format!("{turn}-{number}");
            let input = json!({ "QueueUrl": self.queue, "MessageBody": body });
            let request = self.api.sqs("SendMessage", &input)?;
            self.env.sleep(PAUSE).await;
            sent.insert(body, self.env.now().as_micros());
            self.connection.exchange(&request).await?.ok()?;
        }
        // The last one is handled by then, too, or is missed below.
        self.env.sleep(10 * PAUSE).await;
        let entered = self.connection.exchange(&self.request).await?.json()?;
        let span = |(body, at): (&String, &i64)| {
            let entered =
                entered[body].as_i64().ok_or_else(|| format!("the message {body} was not handled"))?;
            Ok((entered - at) as f64)
        };
        sent.iter().map(span).collect()
    }

    /// Microseconds that each of so many invokes takes.
    async fn invoke(&mut self, count: u64, pause: Duration) -> Result<Vec<f64>, String> {
        let mut spans = Vec::new();
        for _ in 0..count {
            if !pause.is_zero() {
                self.env.sleep(pause).await;
            }
            let begun = self.env.monotonic();
            self.connection.exchange(&self.request).await?.ok()?;
            spans.push(self.env.monotonic().saturating_sub(begun).as_micros() as f64);
        }
        Ok(spans)
    }
}

fn lambda(api: &Api, method: &str, path: &str, input: &Value) -> Result<Vec<u8>, String> {
    let body = if input.is_null() { String::new() } else { input.to_string() };
    api.request("lambda", method, path, &[("content-type", "application/json")], body.as_bytes())
}
