//! A mixed load on every service, by clients that note what they asked and what was answered.

mod functions;
mod mappings;
mod objects;
mod queues;
mod roles;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apus_env::{Env, Task};
use apus_kernel::{Caller, Credentials, Origin, Platform};
use apus_schema::{Operation, ServiceError};
use tokio::sync::Notify;

use crate::history::History;

pub(crate) use functions::{
    FUNCTIONS, function_key, invoke, list as list_functions, read as read_function,
    request as function_request, wait_until_active,
};
pub(crate) use mappings::{check as check_mappings, note_batch, prepare as prepare_mappings};
pub(crate) use objects::{BUCKETS, TIDE, bucket_key, get_object, head_bucket, list_objects, object_key};
pub(crate) use queues::{QUEUES, RETURNS_WITHIN_SECS, after_drain, find_queue, queue_key, receive_all};
pub(crate) use roles::{POLICY_PREFIX, all_roles, life_key, read_life, read_policy};
pub(crate) use topics::{TOPICS, collect};

/// The role that functions run as.
pub(crate) const WORKER: &str = "worker";
/// Longest pause of a client between two calls, in microseconds.
const PAUSE_MICROS_MAX: u64 = 2_500;

/// A handle on one running platform, as its account's root.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) env: Env,
    pub(crate) platform: Platform,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) caller: Caller,
    pub(crate) history: History,
}

impl Client {
    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        self.call_as::<O>(self.caller.clone(), input).await
    }

    pub(crate) async fn call_as<O: Operation>(
        &self,
        caller: Caller,
        input: O::Input,
    ) -> Result<O::Output, ServiceError> {
        let origin = Origin { base_url: "http://127.0.0.1:4566".into(), ..Origin::default() };
        let context = self.platform.context(caller, origin, None);
        self.platform.call::<O>(context, input).await
    }

    fn below(&self, bound: u64) -> u64 {
        self.env.random_below(bound)
    }
}

/// Whether an answer says that the thing is not there.
pub(crate) fn is_absent(error: &ServiceError) -> bool {
    let name = error.name();
    name.starts_with("NoSuch")
        || name == "NotFound"
        || name.starts_with("ResourceNotFound")
        || name == "QueueDoesNotExist"
}

/// What was to be made is there now, be it from before.
fn is_made<T>(answer: Result<T, ServiceError>) -> Result<(), ServiceError> {
    match answer {
        Err(error) if !error.name().contains("Already") => Err(error),
        _ => Ok(()),
    }
}

/// How much is to be done.
#[derive(Clone)]
pub(crate) struct Work {
    goal: u64,
    /// Clients go on beyond the goal, until they are stopped.
    endless: bool,
    reached: Arc<(AtomicBool, Notify)>,
}

impl Work {
    pub(crate) fn until(goal: u64) -> Self {
        Self { goal, endless: false, reached: Arc::default() }
    }

    pub(crate) fn until_crash(goal: u64) -> Self {
        Self { endless: true, ..Self::until(goal) }
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.reached.0.load(Ordering::Relaxed)
    }

    pub(crate) async fn reached(&self) {
        self.reached.1.notified().await;
    }

    fn goes_on(&self, history: &History) -> bool {
        let reached = history.operations() >= self.goal;
        if reached && !self.reached.0.swap(true, Ordering::Relaxed) {
            self.reached.1.notify_one();
        }
        self.endless || !reached
    }
}

/// Makes what the load works on, if it is not there.
pub(crate) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    roles::prepare(client).await?;
    objects::prepare(client).await?;
    queues::prepare(client).await?;
    topics::prepare(client).await
}

/// Starts every client of every instance but feeders.
pub(crate) fn start(instances: &[Client], work: &Work) -> Vec<Task> {
    start_those(instances, work, |kind| kind != Kind::Feeder)
}

/// Starts those clients of every instance that `wanted` picks.
pub(crate) fn start_those(instances: &[Client], work: &Work, wanted: fn(Kind) -> bool) -> Vec<Task> {
    let kinds = || KINDS.iter().copied().filter(|kind| wanted(*kind));
    instances.iter().flat_map(|client| kinds().map(|kind| spawn(client, work, kind))).collect()
}

/// What a client does all day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Objects,
    Roles,
    Producer,
    Consumer,
    Functions,
    Publisher,
    /// Sends to queues that are mapped to a function, if there are any.
    Feeder,
}

const KINDS: [Kind; 19] = [
    Kind::Objects,
    Kind::Objects,
    Kind::Objects,
    Kind::Roles,
    Kind::Roles,
    Kind::Roles,
    Kind::Producer,
    Kind::Producer,
    Kind::Producer,
    Kind::Consumer,
    Kind::Consumer,
    Kind::Consumer,
    Kind::Consumer,
    Kind::Functions,
    Kind::Functions,
    Kind::Publisher,
    Kind::Publisher,
    Kind::Feeder,
    Kind::Feeder,
];

fn spawn(client: &Client, work: &Work, kind: Kind) -> Task {
    let (client, work) = (client.clone(), work.clone());
    let env = client.env.clone();
    env.spawn("client", async move {
        let group = if kind == Kind::Feeder { client.history.token() } else { 0 };
        while work.goes_on(&client.history) {
            match kind {
                Kind::Objects => objects::step(&client).await,
                Kind::Roles => roles::step(&client).await,
                Kind::Producer => queues::produce(&client).await,
                Kind::Consumer => queues::consume(&client).await,
                Kind::Functions => functions::step(&client).await,
                Kind::Publisher => topics::publish(&client).await,
                Kind::Feeder => mappings::feed(&client, group).await,
            }
            // Producers are slower, so that queues run empty now and then.
            let times = if matches!(kind, Kind::Producer | Kind::Publisher) { 4 } else { 1 };
            client.env.sleep(Duration::from_micros(client.below(times * PAUSE_MICROS_MAX))).await;
        }
    })
}
