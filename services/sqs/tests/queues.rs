//! Queues on the memory store, under the simulator, against a model of what a queue owes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Lease, Origin, Platform, Region};
use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, DeleteMessage, DeleteMessageRequest, Message, ReceiveMessage,
    ReceiveMessageRequest, SendMessage, SendMessageRequest,
};
use apus_schema::{Operation, ServiceError};
use apus_store::{Keyspace, Store};
use apus_time::Timestamp;
use futures_util::future::join_all;
use proptest::prelude::*;

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Clone)]
struct World {
    env: Env,
    platform: Platform,
    url: String,
}

impl World {
    /// A platform with SQS alone, and one queue with these attributes.
    async fn new(env: &Env, attributes: &[(&str, &str)]) -> Self {
        let store = Store::memory(env);
        let lease = Lease::acquire(&store, Keyspace::global("instance", "lease").key(("lanes",)));
        let lease = lease.await.expect("the lease is free");
        let services = vec![apus_service_sqs::service(env.clone(), store, lease)];
        let platform = Platform::start(env.clone(), services, Vec::new(), AllowAll);
        let mut world = Self { env: env.clone(), platform, url: String::new() };
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let input = CreateQueueRequest {
            queue_name: "jobs".into(),
            attributes: Some(attributes),
            ..CreateQueueRequest::default()
        };
        let made = world.call::<CreateQueue>(input).await.expect("the queue is made");
        world.url = made.queue_url.expect("it has a URL");
        world
    }

    async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        self.platform.call::<O>(self.platform.context(caller, Origin::default(), None), input).await
    }

    async fn send(&self, body: &str, delay_seconds: i32) {
        let input = SendMessageRequest {
            queue_url: self.url.clone(),
            message_body: body.into(),
            delay_seconds: Some(delay_seconds),
            ..SendMessageRequest::default()
        };
        self.call::<SendMessage>(input).await.expect("it is sent");
    }

    async fn receive(&self, count: i32, visibility: i32, wait: i32) -> Vec<Message> {
        let input = ReceiveMessageRequest {
            queue_url: self.url.clone(),
            max_number_of_messages: Some(count),
            visibility_timeout: Some(visibility),
            wait_time_seconds: Some(wait),
            ..ReceiveMessageRequest::default()
        };
        self.call::<ReceiveMessage>(input).await.expect("it answers").messages.unwrap_or_default()
    }

    async fn delete(&self, handle: &str) {
        let input = DeleteMessageRequest { queue_url: self.url.clone(), receipt_handle: handle.into() };
        self.call::<DeleteMessage>(input).await.expect("it is deleted");
    }
}

fn body(message: &Message) -> String {
    message.body.clone().expect("a message has a body")
}

fn handle(message: &Message) -> String {
    message.receipt_handle.clone().expect("a message has a handle")
}

/// What a client does next.
#[derive(Clone, Debug)]
enum Step {
    Send {
        delay: i32,
    },
    Receive {
        count: i32,
        visibility: i32,
    },
    /// Deletes with one of the handles seen so far.
    Delete {
        which: usize,
    },
    Pass {
        secs: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![Just(0), 0..900].prop_map(|delay| Step::Send { delay }),
        4 => (1..=10, prop_oneof![Just(0), Just(30), 0..43_200])
            .prop_map(|(count, visibility)| Step::Receive { count, visibility }),
        3 => (0_usize..100).prop_map(|which| Step::Delete { which }),
        2 => prop_oneof![0..60_u64, 0..7_200_u64, 0..100_000_u64].prop_map(|secs| Step::Pass { secs }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What a queue owes: each message with the time from which it can be received, in the order of becoming visible.
#[derive(Default)]
struct Model {
    messages: BTreeMap<String, Owed>,
    sent: usize,
}

struct Owed {
    visible_at: Timestamp,
    sent_at: Timestamp,
    order: usize,
    handle: Option<String>,
}

const RETENTION: Duration = Duration::from_secs(40_000);

impl Model {
    fn receivable(&self, now: Timestamp) -> Vec<String> {
        let live =
            self.messages.iter().filter(|(_, owed)| owed.visible_at <= now && owed.sent_at + RETENTION > now);
        let mut live: Vec<_> = live.map(|(body, owed)| (owed.visible_at, owed.order, body.clone())).collect();
        live.sort();
        live.into_iter().map(|(_, _, body)| body).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_queue_gives_what_it_owes_and_nothing_else(seed: u64, steps in steps()) {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        simulator.run(async {
            let world = World::new(&env, &[("MessageRetentionPeriod", "40000")]).await;
            let (mut model, mut handles) = (Model::default(), Vec::new());
            for step in &steps {
                let now = env.now();
                match *step {
                    Step::Send { delay } => {
                        let body = format!("m{}", model.sent);
                        world.send(&body, delay).await;
                        let visible_at = now + Duration::from_secs(delay.unsigned_abs().into());
                        let owed = Owed { visible_at, sent_at: now, order: model.sent, handle: None };
                        model.messages.insert(body, owed);
                        model.sent += 1;
                    }
                    Step::Receive { count, visibility } => {
                        let received = world.receive(count, visibility, 0).await;
                        let mut expected = model.receivable(now);
                        expected.truncate(count as usize);
                        prop_assert_eq!(received.iter().map(body).collect::<Vec<_>>(), expected);
                        for message in &received {
                            let owed = model.messages.get_mut(&body(message)).expect("it is expected");
                            owed.visible_at = now + Duration::from_secs(visibility.unsigned_abs().into());
                            owed.handle = Some(handle(message));
                            handles.push((body(message), handle(message)));
                        }
                    }
                    Step::Delete { which } => {
                        let Some((body, handle)) = handles.get(which % handles.len().max(1)).cloned() else { continue };
                        world.delete(&handle).await;
                        if model.messages.get(&body).is_some_and(|owed| owed.handle.as_ref() == Some(&handle)) {
                            model.messages.remove(&body);
                        }
                    }
                    Step::Pass { secs } => env.sleep(Duration::from_secs(secs)).await,
                }
                model.messages.retain(|_, owed| owed.sent_at + RETENTION > env.now());
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_hundred_consumers_share_a_queue_and_get_each_message_once() {
    for seed in 0..20 {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        simulator.run(async {
            let world = World::new(&env, &[]).await;
            let producers = (0..10).map(|producer| {
                let world = world.clone();
                async move {
                    for number in 0..50 {
                        world.send(&format!("{producer}-{number}"), 0).await;
                    }
                }
            });
            let consumers = (0..100).map(|_| {
                let world = world.clone();
                async move {
                    let mut got = Vec::new();
                    loop {
                        let received = world.receive(10, 600, 20).await;
                        if received.is_empty() {
                            return got;
                        }
                        for message in received {
                            world.delete(&handle(&message)).await;
                            got.push(body(&message));
                        }
                    }
                }
            });
            let (_, got) = futures_util::future::join(join_all(producers), join_all(consumers)).await;
            let got: Vec<String> = got.into_iter().flatten().collect();
            assert_eq!(got.len(), 500, "seed {seed}");
            assert_eq!(got.into_iter().collect::<BTreeSet<_>>().len(), 500, "seed {seed}");
        });
    }
}

#[test]
fn a_long_poll_wakes_at_an_arrival_a_delay_a_timeout_and_its_own_end() {
    let mut simulator = Simulator::new(9);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env, &[]).await;
        let begun = env.monotonic();
        let elapsed = || env.monotonic().saturating_sub(begun).as_secs();
        assert!(world.receive(1, 30, 20).await.is_empty());
        assert_eq!(elapsed(), 20, "its own end");
        world.send("delayed", 7).await;
        assert_eq!(world.receive(1, 5, 20).await.len(), 1);
        assert_eq!(elapsed(), 27, "the end of a delay");
        assert_eq!(world.receive(1, 600, 20).await.len(), 1);
        assert_eq!(elapsed(), 32, "the end of a visibility timeout");
        let arrival = async {
            world.env.sleep(Duration::from_secs(3)).await;
            world.send("arrived", 0).await;
        };
        let (got, ()) = futures_util::future::join(world.receive(1, 30, 20), arrival).await;
        assert_eq!(got.iter().map(body).collect::<Vec<_>>(), ["arrived"]);
        assert_eq!(elapsed(), 35, "an arrival");
    });
}

#[test]
fn whoever_waits_longest_is_served_first_and_who_left_is_not_served() {
    let mut simulator = Simulator::new(4);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env, &[]).await;
        let first = async {
            // Gives up after a second, long before its poll would end.
            assert!(world.env.timeout(Duration::from_secs(1), world.receive(1, 30, 20)).await.is_err());
        };
        let second = async {
            world.env.sleep(Duration::from_millis(10)).await;
            world.receive(1, 30, 20).await.iter().map(body).collect::<Vec<_>>()
        };
        let third = async {
            world.env.sleep(Duration::from_millis(20)).await;
            world.receive(1, 30, 20).await.iter().map(body).collect::<Vec<_>>()
        };
        let sender = async {
            world.env.sleep(Duration::from_secs(2)).await;
            world.send("one", 0).await;
            world.send("two", 0).await;
        };
        let ((), second, third, ()) = futures_util::future::join4(first, second, third, sender).await;
        assert_eq!((second, third), (vec!["one".to_owned()], vec!["two".to_owned()]));
    });
}
