//! FIFO queues on the memory store, under the simulator, against a model of what groups owe.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use apus_time::Timestamp;
use common::{World, attribute, bodies, body, handle, run};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Send { group: u8, deduplication: u8 },
    Receive { count: i32, visibility: i32 },
    Delete { which: usize },
    Hide { which: usize, secs: i32 },
    Pass { secs: u64 },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (0..3_u8, 0..40_u8).prop_map(|(group, deduplication)| Step::Send { group, deduplication }),
        8 => (1..=10, prop_oneof![Just(0), 1..120])
            .prop_map(|(count, visibility)| Step::Receive { count, visibility }),
        6 => (0_usize..100).prop_map(|which| Step::Delete { which }),
        2 => (0_usize..100, prop_oneof![Just(0), 0..600]).prop_map(|(which, secs)| Step::Hide { which, secs }),
        4 => prop_oneof![0..40_u64, 0..400_u64, 0..40_000_u64].prop_map(|secs| Step::Pass { secs }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

struct Owed {
    body: String,
    visible_at: Timestamp,
    sent_at: Timestamp,
    handle: Option<String>,
}

const RETENTION: Duration = Duration::from_secs(40_000);
const DELAY: Duration = Duration::from_secs(7);
const REMEMBERED: Duration = Duration::from_mins(5);

/// Each group's messages in their order.
#[derive(Default)]
struct Model {
    groups: BTreeMap<String, Vec<Owed>>,
    /// By scope and deduplication id: when it was sent, and its message id.
    sent: BTreeMap<(String, String), (Timestamp, String)>,
    number: usize,
}

impl Model {
    /// How many messages a group gives: none while one of them is in flight, and none from the first delayed one on.
    fn available(line: &[Owed], now: Timestamp) -> usize {
        if line.iter().any(|owed| owed.handle.is_some() && owed.visible_at > now) {
            return 0;
        }
        line.iter().take_while(|owed| owed.visible_at <= now).count()
    }

    fn expire(&mut self, now: Timestamp) {
        for line in self.groups.values_mut() {
            line.retain(|owed| owed.sent_at + RETENTION > now);
        }
    }

    fn find(&mut self, body: &str) -> Option<(String, usize)> {
        self.groups
            .iter()
            .find_map(|(group, line)| Some((group.clone(), line.iter().position(|owed| owed.body == *body)?)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn groups_keep_their_order_and_give_what_they_owe(
        seed: u64,
        steps in steps(),
        delayed: bool,
        scoped_to_groups: bool,
    ) {
        run(seed, async |env| {
            let scope = if scoped_to_groups { "messageGroup" } else { "queue" };
            let delay = if delayed { DELAY } else { Duration::ZERO };
            let mut world = World::on(&env, apus_store::Store::memory(&env)).await.queue("jobs.fifo", &[
                ("MessageRetentionPeriod", "40000"),
                ("DeduplicationScope", scope),
                ("DelaySeconds", &delay.as_secs().to_string()),
            ]).await;
            let (mut model, mut handles) = (Model::default(), Vec::<(String, String)>::new());
            for step in &steps {
                let now = env.now();
                match *step {
                    Step::Send { group, deduplication } => {
                        let (group, id) = (format!("g{group}"), format!("d{deduplication}"));
                        let body = format!("m{}", model.number);
                        let sent = world.send_to(&group, &body, &id).await;
                        let scope = if scoped_to_groups { group.clone() } else { String::new() };
                        let known = model.sent.get(&(scope.clone(), id.clone()));
                        if let Some((_, first)) = known.filter(|(at, _)| *at + REMEMBERED > now) {
                            prop_assert_eq!(first, &sent, "a duplicate is answered with the first");
                            continue;
                        }
                        model.sent.insert((scope, id), (now, sent));
                        let owed = Owed { body, visible_at: now + delay, sent_at: now, handle: None };
                        model.groups.entry(group).or_default().push(owed);
                        model.number += 1;
                    }
                    Step::Receive { count, visibility } => {
                        let received = world.receive(count, visibility, 0).await;
                        let available: usize = model.groups.values().map(|line| Model::available(line, now)).sum();
                        prop_assert_eq!(received.len(), available.min(count as usize));
                        let mut by_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
                        for message in &received {
                            let group = attribute(message, "MessageGroupId").expect("it has a group");
                            by_group.entry(group).or_default().push(body(message));
                        }
                        for (group, got) in &by_group {
                            let line = &model.groups[group];
                            let first: Vec<_> = line.iter().take(got.len()).map(|owed| owed.body.clone()).collect();
                            prop_assert_eq!(got, &first, "a group gives its first messages, in order");
                            prop_assert!(got.len() <= Model::available(line, now));
                        }
                        for message in &received {
                            let (group, at) = model.find(&body(message)).expect("it is owed");
                            let owed = &mut model.groups.get_mut(&group).expect("it is there")[at];
                            owed.visible_at = now + Duration::from_secs(visibility.unsigned_abs().into());
                            owed.handle = Some(handle(message));
                            handles.push((body(message), handle(message)));
                        }
                    }
                    Step::Delete { which } => {
                        let Some((body, handle)) = handles.get(which % handles.len().max(1)).cloned() else { continue };
                        let deleted = world.try_delete(&handle).await;
                        match model.find(&body) {
                            None => prop_assert!(deleted.is_ok(), "what is gone is gone: {:?}", deleted),
                            Some((group, at)) => {
                                let line = model.groups.get_mut(&group).expect("it is there");
                                let owed = &line[at];
                                let valid = owed.handle.as_ref() == Some(&handle) && owed.visible_at > now;
                                prop_assert_eq!(deleted.is_ok(), valid, "{:?}", deleted);
                                if valid {
                                    line.remove(at);
                                }
                            }
                        }
                    }
                    Step::Hide { which, secs } => {
                        let Some((body, handle)) = handles.get(which % handles.len().max(1)).cloned() else { continue };
                        let hidden = world.hide(&handle, secs).await;
                        let found = model.find(&body);
                        let owed = found.and_then(|(group, at)| model.groups.get_mut(&group)?.get_mut(at));
                        let owed =
                            owed.filter(|owed| owed.handle.as_ref() == Some(&handle) && owed.visible_at > now);
                        prop_assert_eq!(hidden.is_ok(), owed.is_some(), "{:?}", hidden);
                        if let Some(owed) = owed {
                            owed.visible_at = now + Duration::from_secs(secs.unsigned_abs().into());
                        }
                    }
                    Step::Pass { secs } => world.pass(secs).await,
                    Step::Restart => world = world.restarted().await,
                }
                model.expire(env.now());
                let (visible, in_flight, delayed) = world.counts().await;
                prop_assert_eq!(
                    visible + in_flight + delayed,
                    model.groups.values().map(Vec::len).sum::<usize>()
                );
                prop_assert_eq!(world.contradictions().await, Vec::<String>::new());
            }
            // Later nothing is left of any of it but the queue.
            world.pass(40_000).await;
            prop_assert_eq!(world.counts().await, (0, 0, 0));
            prop_assert_eq!(world.rows("messages").await, 0);
            prop_assert!(world.rows("own").await <= 1, "what was remembered is forgotten");
            prop_assert_eq!(world.scheduled().await, 0);
            Ok(())
        })?;
    }
}

#[test]
fn a_group_moves_on_for_who_waits_when_its_message_is_deleted() {
    run(5, async |env| {
        let world = World::on(&env, apus_store::Store::memory(&env)).await.queue("jobs.fifo", &[]).await;
        for body in ["one", "two"] {
            world.send_to("g", body, body).await;
        }
        let first = world.receive(1, 600, 0).await;
        let begun = env.monotonic();
        let later = async {
            env.sleep(Duration::from_secs(3)).await;
            world.delete(&handle(&first[0])).await;
        };
        let (second, ()) = futures_util::future::join(world.receive(1, 600, 20), later).await;
        assert_eq!(bodies(&second), ["two"]);
        assert_eq!(env.monotonic().saturating_sub(begun).as_secs(), 3);
    });
}

#[test]
fn many_groups_share_the_receivers_and_none_waits_for_another() {
    run(6, async |env| {
        let world = World::on(&env, apus_store::Store::memory(&env)).await.queue("jobs.fifo", &[]).await;
        for number in 0..40 {
            let group = format!("g{}", number % 4);
            world.send_to(&group, &format!("{number:02}"), &format!("{number}")).await;
        }
        // Four receivers, a group each.
        let receives = (0..4).map(|_| world.receive(10, 600, 0));
        let received = futures_util::future::join_all(receives).await;
        for messages in received {
            let bodies = bodies(&messages);
            assert_eq!(bodies.len(), 10);
            assert!(bodies.is_sorted(), "{bodies:?}");
            let group = attribute(&messages[0], "MessageGroupId");
            assert!(messages.iter().all(|message| attribute(message, "MessageGroupId") == group));
        }
    });
}
