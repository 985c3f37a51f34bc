//! Standard queues on the memory store, under the simulator, against a model of what a queue owes.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_env::sim::Simulator;
use apus_time::Timestamp;
use common::{World, bodies, body, handle, run};
use futures_util::future::join_all;
use proptest::prelude::*;

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
    /// Changes the visibility with one of the handles seen so far.
    Hide {
        which: usize,
        secs: i32,
    },
    Pass {
        secs: u64,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop_oneof![Just(0), 0..900].prop_map(|delay| Step::Send { delay }),
        8 => (1..=10, prop_oneof![Just(0), Just(30), 0..43_200])
            .prop_map(|(count, visibility)| Step::Receive { count, visibility }),
        5 => (0_usize..100).prop_map(|which| Step::Delete { which }),
        3 => (0_usize..100, prop_oneof![Just(0), 0..600])
            .prop_map(|(which, secs)| Step::Hide { which, secs }),
        5 => prop_oneof![0..60_u64, 0..7_200_u64, 0..100_000_u64].prop_map(|secs| Step::Pass { secs }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What a queue owes: each message with the time from which it can be received, in the order of becoming visible.
#[derive(Default)]
struct Model {
    messages: BTreeMap<String, Owed>,
    dead: BTreeMap<String, Timestamp>,
    sent: usize,
}

struct Owed {
    visible_at: Timestamp,
    sent_at: Timestamp,
    received_at: Timestamp,
    receives: u32,
    order: usize,
    handle: Option<String>,
}

const RETENTION: Duration = Duration::from_secs(40_000);
const DEAD_RETENTION: Duration = Duration::from_hours(25);
const MAX_RECEIVES: u32 = 3;

impl Model {
    /// What a receive gives. Those before the last of it that were received too often die.
    fn receive(&mut self, now: Timestamp, count: usize) -> Vec<String> {
        let visible = self.messages.iter().filter(|(_, owed)| owed.visible_at <= now);
        let mut visible: Vec<_> =
            visible.map(|(body, owed)| (owed.visible_at, owed.order, body.clone())).collect();
        visible.sort();
        let mut given = Vec::new();
        for (_, _, body) in visible {
            if given.len() == count {
                break;
            }
            if self.messages[&body].receives >= MAX_RECEIVES {
                let owed = self.messages.remove(&body).expect("it is visible");
                self.dead.insert(body, owed.sent_at);
            } else {
                given.push(body);
            }
        }
        given
    }

    fn counts(&self, now: Timestamp) -> (usize, usize, usize) {
        let count = |which: &dyn Fn(&Owed) -> bool| self.messages.values().filter(|owed| which(owed)).count();
        (
            count(&|owed| owed.visible_at <= now),
            count(&|owed| owed.visible_at > now && owed.receives > 0),
            count(&|owed| owed.visible_at > now && owed.receives == 0),
        )
    }

    fn expire(&mut self, now: Timestamp) {
        self.messages.retain(|_, owed| owed.sent_at + RETENTION > now);
        self.dead.retain(|_, sent_at| *sent_at + DEAD_RETENTION > now);
    }
}

const DEAD_LETTERS: &str =
    r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 3}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Days of a queue and its dead-letter queue; the counts are right and nothing is left behind, all the way.
    #[test]
    fn a_queue_gives_what_it_owes_and_nothing_else(seed: u64, steps in steps()) {
        run(seed, async |env| {
            let world = World::on(&env, apus_store::Store::memory(&env)).await;
            let mut dead = world.queue("dead", &[("MessageRetentionPeriod", "90000")]).await;
            let attributes = [("MessageRetentionPeriod", "40000"), ("RedrivePolicy", DEAD_LETTERS)];
            let mut world = world.queue("jobs", &attributes).await;
            let (mut model, mut handles) = (Model::default(), Vec::<(String, String)>::new());
            for step in &steps {
                let now = env.now();
                match *step {
                    Step::Send { delay } => {
                        let body = format!("m{}", model.sent);
                        world.send(&body, delay).await;
                        let visible_at = now + Duration::from_secs(delay.unsigned_abs().into());
                        let (order, sent_at) = (model.sent, now);
                        let owed = Owed { visible_at, sent_at, received_at: now, receives: 0, order, handle: None };
                        model.messages.insert(body, owed);
                        model.sent += 1;
                    }
                    Step::Receive { count, visibility } => {
                        let received = world.receive(count, visibility, 0).await;
                        prop_assert_eq!(bodies(&received), model.receive(now, count as usize));
                        for message in &received {
                            let owed = model.messages.get_mut(&body(message)).expect("it is expected");
                            owed.visible_at = now + Duration::from_secs(visibility.unsigned_abs().into());
                            owed.received_at = now;
                            owed.receives += 1;
                            owed.handle = Some(handle(message));
                            let count = common::attribute(message, "ApproximateReceiveCount");
                            prop_assert_eq!(count, Some(owed.receives.to_string()));
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
                    Step::Hide { which, secs } => {
                        let Some((body, handle)) = handles.get(which % handles.len().max(1)).cloned() else { continue };
                        let hidden = world.hide(&handle, secs).await;
                        let until = now + Duration::from_secs(secs.unsigned_abs().into());
                        let owed = model.messages.get_mut(&body).filter(|owed| {
                            owed.handle.as_ref() == Some(&handle)
                                && owed.visible_at > now
                                && until <= owed.received_at + Duration::from_hours(12)
                        });
                        prop_assert_eq!(hidden.is_ok(), owed.is_some(), "{:?}", hidden);
                        if let Some(owed) = owed {
                            owed.visible_at = until;
                        }
                    }
                    Step::Pass { secs } => world.pass(secs).await,
                    Step::Restart => {
                        world = world.restarted().await;
                        dead.platform = world.platform.clone();
                    }
                }
                model.expire(env.now());
                prop_assert_eq!(world.counts().await, model.counts(env.now()));
                prop_assert_eq!(dead.counts().await, (model.dead.len(), 0, 0));
                prop_assert_eq!(world.contradictions().await, Vec::<String>::new());
            }
            let mut died = BTreeSet::new();
            loop {
                let messages = dead.receive(10, 600, 0).await;
                if messages.is_empty() {
                    break;
                }
                died.extend(bodies(&messages));
            }
            prop_assert_eq!(died, model.dead.keys().cloned().collect::<BTreeSet<_>>());
            // The longest retention later nothing is left but the queues themselves.
            world.pass(90_000).await;
            prop_assert_eq!((world.counts().await, dead.counts().await), ((0, 0, 0), (0, 0, 0)));
            prop_assert_eq!(world.scheduled().await, 0);
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
        let ((), second, third, ()) =
            Box::pin(futures_util::future::join4(first, second, third, sender)).await;
        assert_eq!((second, third), (vec!["one".to_owned()], vec!["two".to_owned()]));
    });
}
