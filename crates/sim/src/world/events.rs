//! Asynchronous invocations under crashes: every event whose acceptance was durable ends, and is told to the
//! destination of its end and to no other.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_kernel::Origin;
use apus_model_iam::{PutRolePolicy, PutRolePolicyRequest};
use apus_model_lambda::{
    CreateFunction, DestinationConfig, InvocationRequest, InvocationType, Invoke, OnFailure, OnSuccess,
    PutFunctionEventInvokeConfig, PutFunctionEventInvokeConfigRequest,
};
use apus_model_sqs::{CreateQueue, CreateQueueRequest, ReceiveMessage, ReceiveMessageRequest};
use apus_schema::ServiceError;
use apus_store::{Direction, Keyspace, StoreError};

use super::{Fault, LAST_CHANGES_MAX, World};
use crate::load::{self, Client};

const FUNCTION: &str = "errand";
const SENDERS: usize = 4;
/// The longest that events are sent before a crash, in microseconds.
const LOAD_MICROS_MAX: u64 = 400_000;
/// Longer than any event and any letter takes with nothing broken: two tries, a minute apart, and much room.
const QUIET: Duration = Duration::from_hours(1);
const DONE: &str = "errands-done";
const FAILED: &str = "errands-failed";

/// How a story of events ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsEnding {
    /// What must not be.
    pub violations: Vec<String>,
    /// Events whose acceptance was answered.
    pub accepted: usize,
    /// Ends that were told more than once, which may be: a crash can come between the telling and its note.
    pub told_again: usize,
    /// The hash of everything that happened.
    pub trace_hash: u64,
}

/// The ids of accepted requests, and whether their event fails.
type Accepted = Arc<Mutex<BTreeMap<String, bool>>>;

fn lock(accepted: &Accepted) -> MutexGuard<'_, BTreeMap<String, bool>> {
    accepted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends events until a crash, so many times, and looks what became of them.
pub fn tell_events(seed: u64, crashes: u64, fault: Option<Fault>, scratch: &Path) -> EventsEnding {
    let mut world = World::new(seed, scratch);
    world.boot();
    world.prepare();
    for client in world.clients() {
        let prepared = world.simulator.run(prepare(&client));
        prepared.expect("nothing is broken yet");
    }
    world.plant(fault);
    let accepted = Accepted::default();
    for _ in 0..crashes {
        world.send_and_crash(&accepted);
        world.check_disk();
        world.boot();
        world.plant(fault);
    }
    let told_again = world.look_at_ends(&accepted);
    EventsEnding {
        violations: world.history.violations(),
        accepted: lock(&accepted).len(),
        told_again,
        trace_hash: world.simulator.trace_hash(),
    }
}

impl World {
    fn send_and_crash(&mut self, accepted: &Accepted) {
        let clients = self.clients();
        let (env, disk, mut dice) = (self.env.clone(), self.disk.clone(), self.dice.fork());
        self.simulator.run(async {
            for number in 0..SENDERS {
                let Some(client) = clients.get(number % clients.len().max(1)).cloned() else { return };
                env.spawn("sender", send_for_ever(client, Arc::clone(accepted)));
            }
            env.sleep(Duration::from_micros(dice.below(LOAD_MICROS_MAX))).await;
            if dice.chance(2, 3) {
                disk.power_off_after(1 + dice.below(LAST_CHANGES_MAX));
                env.sleep(Duration::from_millis(dice.below(20))).await;
            }
        });
        self.crash();
    }

    /// Waits until all is quiet, and compares what was told with what was accepted. How often an end was told again.
    fn look_at_ends(&mut self, accepted: &Accepted) -> usize {
        let (Some(client), Some(store)) = (self.clients().pop(), self.store.clone()) else { return 0 };
        let (mut done, mut failed) = (BTreeMap::new(), BTreeMap::new());
        let open = self.simulator.run(async {
            client.env.sleep(QUIET).await;
            done = told(&client, DONE).await;
            failed = told(&client, FAILED).await;
            let range = Keyspace::new("000000000000", "us-east-1", "lambda").sub(("event",)).range(());
            let read = store.read(|tx| async move {
                Ok::<_, StoreError>(tx.range(&range, usize::MAX, Direction::Forward).await?.len())
            });
            read.await
        });
        match open {
            Ok(0) => {}
            Ok(open) => self.history.violation(format!("{open} events have no end")),
            Err(error) => self.history.violation(format!("the store cannot be read: {error}")),
        }
        for (id, fails) in lock(accepted).iter() {
            let (own, other) = if *fails { (&failed, &done) } else { (&done, &failed) };
            if !own.contains_key(id) {
                self.history.violation(format!("the end of {id} was not told"));
            }
            if other.contains_key(id) {
                self.history.violation(format!("{id} ended as it cannot have"));
            }
        }
        done.values().chain(failed.values()).map(|count| count - 1).sum()
    }
}

async fn prepare(client: &Client) -> Result<(), ServiceError> {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#;
    let input = PutRolePolicyRequest {
        role_name: load::WORKER.into(),
        policy_name: "tell".into(),
        policy_document: policy.into(),
    };
    client.call::<PutRolePolicy>(input).await?;
    for queue in [DONE, FAILED] {
        let input = CreateQueueRequest { queue_name: queue.into(), ..CreateQueueRequest::default() };
        client.call::<CreateQueue>(input).await?;
    }
    client.call::<CreateFunction>(load::function_request(FUNCTION, client.history.token(), 0)).await?;
    let arn = |queue: &str| Some(format!("arn:aws:sqs:us-east-1:000000000000:{queue}"));
    let input = PutFunctionEventInvokeConfigRequest {
        function_name: FUNCTION.into(),
        maximum_retry_attempts: Some(1),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: arn(DONE) }),
            on_failure: Some(OnFailure { destination: arn(FAILED) }),
        }),
        ..PutFunctionEventInvokeConfigRequest::default()
    };
    client.call::<PutFunctionEventInvokeConfig>(input).await.map(|_| ())
}

async fn send_for_ever(client: Client, accepted: Accepted) {
    loop {
        let id = client.env.uuid_v4();
        let fails = client.env.random_below(3) == 0;
        let event = if fails { "\"fail\"" } else { "\"go\"" };
        let input = InvocationRequest {
            function_name: FUNCTION.into(),
            invocation_type: Some(InvocationType::Event),
            payload: Some(event.into()),
            ..InvocationRequest::default()
        };
        let context =
            client.platform.context(client.caller.clone(), Origin::default(), Some(id.as_str().into()));
        if client.platform.call::<Invoke>(context, input).await.is_ok() {
            lock(&accepted).insert(id, fails);
        }
        client.env.sleep(Duration::from_micros(client.env.random_below(20_000))).await;
    }
}

/// The ids of the requests whose end was told to a queue, and how often.
async fn told(client: &Client, queue: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    loop {
        let input = ReceiveMessageRequest {
            queue_url: format!("http://127.0.0.1:4566/000000000000/{queue}"),
            max_number_of_messages: Some(10),
            visibility_timeout: Some(43_200),
            ..ReceiveMessageRequest::default()
        };
        let answer = client.call::<ReceiveMessage>(input).await;
        let messages = match answer {
            Ok(answer) => answer.messages.unwrap_or_default(),
            Err(error) => {
                client.history.violation(format!("{queue} gives nothing: {error}"));
                return found;
            }
        };
        if messages.is_empty() {
            return found;
        }
        for message in messages {
            let body = message.body.unwrap_or_default();
            let id = body.split(r#""requestId":""#).nth(1).and_then(|rest| rest.split('"').next());
            match id {
                Some(id) => *found.entry(id.to_owned()).or_default() += 1,
                None => client.history.violation(format!("{queue} holds no record: {body}")),
            }
        }
    }
}
