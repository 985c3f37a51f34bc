//! From a publication to every subscriber that wants it: filters, forms, retries, dead letters, order, crashes.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_env::sim::Simulator;
use apus_model_sns::{
    ConfirmSubscription, ConfirmSubscriptionInput, DeleteTopic, DeleteTopicInput, MessageAttributeValue,
    Publish, PublishInput, Unsubscribe, UnsubscribeInput,
};
use apus_service_sns::Carrier;
use apus_store::disk::{Crash, Disk, SimDisk};
use apus_store::{Options, Store};
use serde_json::{Value, json};

use common::{Mood, Targets, World, left, queue};

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn every_subscriber_gets_the_message_in_its_form() {
    let mut simulator = Simulator::new(1);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[]).await;
        let (plain, raw) = (queue("plain"), queue("raw"));
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        world.subscribe(&topic, "sqs", &plain, &[]).await;
        world.subscribe(&topic, "sqs", &raw, &[("RawMessageDelivery", "true")]).await;
        let lambda = world.subscribe(&topic, "lambda", function, &[]).await;
        let color = MessageAttributeValue {
            data_type: "String".into(),
            string_value: Some("red".into()),
            ..Default::default()
        };
        let input = PublishInput {
            topic_arn: Some(topic.clone()),
            subject: Some("news".into()),
            message: r#"{"default": "d", "lambda": "l"}"#.into(),
            message_structure: Some("json".into()),
            message_attributes: Some(BTreeMap::from([("color".to_owned(), color)])),
            ..PublishInput::default()
        };
        let id =
            world.call::<Publish>(input).await.expect("it is published").message_id.expect("it has an id");
        world.pass(1).await;
        let document = read(&world.targets.bodies(&plain)[0]);
        for (name, expected) in [
            ("Type", json!("Notification")),
            ("MessageId", json!(id)),
            ("TopicArn", json!(topic)),
            ("Subject", json!("news")),
            ("Message", json!("d")),
            ("MessageAttributes", json!({"color": {"Type": "String", "Value": "red"}})),
        ] {
            assert_eq!(document[name], expected, "{name}");
        }
        let arrivals = world.targets.lock();
        assert_eq!(arrivals.source, Some(topic.clone()), "queues' policies ask for the topic");
        let sent = &arrivals.sent[&raw][0];
        assert_eq!(sent.message_body, "d");
        let attributes = sent.message_attributes.as_ref().expect("a raw message keeps its attributes");
        assert_eq!(attributes["color"].string_value.as_deref(), Some("red"));
        let event = &read(&arrivals.events[0])["Records"][0];
        assert_eq!((&event["Sns"]["Message"], &event["EventSubscriptionArn"]), (&json!("l"), &json!(lambda)));
    });
}

#[test]
fn filters_choose_by_attributes_or_body() {
    let mut simulator = Simulator::new(2);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[]).await;
        let raw = ("RawMessageDelivery", "true");
        world.subscribe(&topic, "sqs", &queue("all"), &[raw]).await;
        let by_attributes = ("FilterPolicy", r#"{"n": [{"numeric": [">", 1]}]}"#);
        world.subscribe(&topic, "sqs", &queue("attributes"), &[raw, by_attributes]).await;
        let by_body = [
            raw,
            ("FilterPolicyScope", "MessageBody"),
            ("FilterPolicy", r#"{"a": {"b": [{"exists": true}]}}"#),
        ];
        world.subscribe(&topic, "sqs", &queue("body"), &by_body).await;
        for (text, number) in [("plain", "1"), ("two", "2"), (r#"{"a": {"b": 1}}"#, "0")] {
            let attribute = MessageAttributeValue {
                data_type: "Number".into(),
                string_value: Some(number.into()),
                ..Default::default()
            };
            let input = PublishInput {
                topic_arn: Some(topic.clone()),
                message: text.into(),
                message_attributes: Some(BTreeMap::from([("n".to_owned(), attribute)])),
                ..PublishInput::default()
            };
            world.call::<Publish>(input).await.expect("it is published");
            world.pass(1).await;
        }
        assert_eq!(world.targets.bodies(&queue("all")).len(), 3);
        assert_eq!(world.targets.bodies(&queue("attributes")), ["two"]);
        assert_eq!(world.targets.bodies(&queue("body")), [r#"{"a": {"b": 1}}"#]);
    });
}

#[test]
fn a_broken_endpoint_holds_up_nobody_and_ends_in_its_dead_letter_queue() {
    for mood in [Mood::Hangs, Mood::Refuses, Mood::Fails(1_000)] {
        let mut simulator = Simulator::new(3);
        let env = simulator.env();
        simulator.run(async {
            let world = World::new(&env).await;
            let topic = world.topic("t", &[]).await;
            let (url, healthy, dead) = ("http://example.test/hook", queue("healthy"), queue("dead"));
            let redrive = format!(r#"{{"deadLetterTargetArn": "{dead}"}}"#);
            let broken = world.subscribe(&topic, "http", url, &[("RedrivePolicy", &redrive)]).await;
            world.subscribe(&topic, "sqs", &healthy, &[("RawMessageDelivery", "true")]).await;
            world.publish(&topic, "before it is confirmed").await;
            world.pass(1).await;
            let token = {
                let arrivals = world.targets.lock();
                assert_eq!(arrivals.posts.len(), 1, "only the question");
                read(&arrivals.posts[0].body)["Token"].as_str().expect("it has a token").to_owned()
            };
            let confirm = |token: String| {
                let input =
                    ConfirmSubscriptionInput { topic_arn: topic.clone(), token, ..Default::default() };
                world.call::<ConfirmSubscription>(input)
            };
            assert!(confirm("guessed".into()).await.is_err());
            let confirmed = confirm(token).await.expect("the token is right");
            assert_eq!(confirmed.subscription_arn, Some(broken));
            world.targets.mood(url, mood);
            for number in 0..20 {
                world.publish(&topic, &format!("m{number}")).await;
            }
            world.pass(2).await;
            assert_eq!(world.targets.bodies(&healthy).len(), 21, "{mood:?}");
            world.pass(3_600).await;
            let attempts = world.targets.lock().attempts[url];
            match mood {
                // One of each lane, for ever: the real port gives up after fifteen seconds.
                Mood::Hangs => assert!(attempts <= 1 + 8),
                // Once each, and four times each: a first attempt and three retries.
                Mood::Refuses => assert_eq!(attempts, 1 + 20),
                _ => assert_eq!(attempts, 1 + 80),
            }
            if mood != Mood::Hangs {
                let sent = world.targets.lock().sent[&dead].clone();
                assert_eq!(sent.len(), 20);
                let why = sent[0].message_attributes.as_ref().expect("it says why");
                let expected = if mood == Mood::Refuses { "403" } else { "503" };
                assert_eq!(why["ErrorCode"].string_value.as_deref(), Some(expected));
                assert!(
                    read(&sent[0].message_body)["Message"].as_str().is_some_and(|text| text.starts_with('m'))
                );
            }
        });
    }
}

#[test]
fn what_fails_waits_beside_what_does_not() {
    let mut simulator = Simulator::new(8);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[]).await;
        let url = "http://example.test/hook";
        let retry =
            r#"{"healthyRetryPolicy": {"minDelayTarget": 60, "maxDelayTarget": 60, "numRetries": 10}}"#;
        world
            .subscribe(&topic, "http", url, &[("DeliveryPolicy", retry), ("RawMessageDelivery", "true")])
            .await;
        world.pass(1).await;
        let token = read(&world.targets.lock().posts[0].body)["Token"].as_str().expect("a token").to_owned();
        let input = ConfirmSubscriptionInput { topic_arn: topic.clone(), token, ..Default::default() };
        world.call::<ConfirmSubscription>(input).await.expect("the token is right");
        world.targets.mood(url, Mood::Fails(20));
        for number in 0..20 {
            world.publish(&topic, &format!("early {number}")).await;
        }
        world.pass(2).await;
        for number in 0..20 {
            world.publish(&topic, &format!("late {number}")).await;
        }
        world.pass(2).await;
        let posted = |world: &World| -> Vec<String> {
            world.targets.lock().posts.iter().skip(1).map(|post| post.body.clone()).collect()
        };
        assert_eq!(posted(&world).len(), 20);
        assert!(posted(&world).iter().all(|body| body.starts_with("late")), "none waits for one that failed");
        world.pass(60).await;
        assert_eq!(posted(&world).len(), 40);
    });
}

#[test]
fn what_a_subscriber_has_waiting_is_bounded() {
    let mut simulator = Simulator::new(9);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let world = World::on(&env, &store, Targets::default()).await.expect("it boots");
        let topic = world.topic("t", &[]).await;
        let (slow, dead) = (queue("slow"), queue("dead"));
        let redrive = format!(r#"{{"deadLetterTargetArn": "{dead}"}}"#);
        let arn = world.subscribe(&topic, "sqs", &slow, &[("RedrivePolicy", &redrive)]).await;
        world.targets.mood(&slow, Mood::Hangs);
        world.publish(&topic, "first").await;
        world.pass(1).await;
        // As if a hundred thousand had been published.
        let space = apus_store::Keyspace::new("000000000000", "us-east-1", "sns");
        let id = arn.rsplit(':').next().expect("it has an id");
        let added = store.transact(|tx| {
            let space = space.clone();
            async move {
                let rows = tx.range(&space.range(("backlog",)), 2, apus_store::Direction::Forward).await?;
                assert_eq!(rows.len(), 1, "one subscription has one");
                let (number, _) = space.sub(("backlog",)).unpack::<(u64, String)>(&rows[0].0)?;
                tx.add(&space.key(("backlog", number, id)), 100_000);
                Ok::<_, apus_store::StoreError>(())
            }
        });
        added.await.expect("it is written");
        world.publish(&topic, "too many").await;
        world.pass(1).await;
        let sent = world.targets.lock().sent.get(&dead).cloned().unwrap_or_default();
        assert_eq!(sent.len(), 1, "the first still waits, and holds up none of what is given up");
        assert_eq!(read(&sent[0].message_body)["Message"], json!("too many"));
        let why = sent[0].message_attributes.as_ref().expect("it says why");
        assert_eq!(why["ErrorCode"].string_value.as_deref(), Some("Backlog"));
    });
}

#[test]
fn letters_reach_people_and_wait_for_a_disk_that_is_full() {
    let mut simulator = Simulator::new(10);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[("DisplayName", "Birds")]).await;
        world.targets.mood("+4915112345678", Mood::Fails(5));
        world.subscribe(&topic, "sms", "+4915112345678", &[]).await;
        world.subscribe(&topic, "email", "bird@example.test", &[]).await;
        world.publish(&topic, "hello").await;
        let input = PublishInput {
            phone_number: Some("+4915187654321".into()),
            message: "hi".into(),
            ..PublishInput::default()
        };
        world.call::<Publish>(input).await.expect("it is published");
        world.pass(100).await;
        let letters = world.targets.lock().letters.clone();
        let seen: Vec<_> =
            letters.iter().map(|letter| (letter.to.as_str(), letter.carrier, letter.text.trim())).collect();
        assert_eq!(seen.len(), 3, "a mail that nobody confirmed gets the question alone: {seen:?}");
        for expected in [("+4915112345678", Carrier::Sms, "hello"), ("+4915187654321", Carrier::Sms, "hi")] {
            assert!(seen.contains(&expected), "{expected:?} of {seen:?}");
        }
        let asked = letters.iter().find(|letter| letter.to == "bird@example.test").expect("it is asked");
        assert!(asked.from == "Birds" && asked.text.contains("Action=ConfirmSubscription"), "{asked:?}");
    });
}

#[test]
fn a_queue_that_is_away_gets_everything_later_and_one_that_is_gone_nothing() {
    let mut simulator = Simulator::new(4);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[]).await;
        let (away, gone) = (queue("away"), queue("gone"));
        let raw = ("RawMessageDelivery", "true");
        world.subscribe(&topic, "sqs", &away, &[raw]).await;
        world.subscribe(&topic, "sqs", &gone, &[raw]).await;
        world.targets.mood(&away, Mood::Fails(30));
        world.targets.mood(&gone, Mood::Refuses);
        world.publish(&topic, "m").await;
        world.pass(1_000).await;
        assert_eq!(world.targets.bodies(&away), ["m"]);
        assert_eq!(world.targets.lock().attempts[&gone], 1, "a client's mistake is not repeated");
        let dead = world.outbox.dead(10).await.expect("the dead are listed");
        assert_eq!(dead.len(), 1);
        assert!(dead[0].reason.starts_with("QueueDoesNotExist"), "{:?}", dead[0]);
    });
}

#[test]
fn a_function_gets_its_event_once_its_queue_takes_it() {
    let mut simulator = Simulator::new(5);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic = world.topic("t", &[]).await;
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        world.subscribe(&topic, "lambda", function, &[]).await;
        world.targets.mood(function, Mood::Fails(7));
        world.publish(&topic, "m").await;
        world.pass(10_000).await;
        assert_eq!(world.targets.lock().attempts[function], 8);
        assert_eq!(world.targets.lock().events.len(), 1);
    });
}

#[test]
fn a_fifo_topic_keeps_the_order_of_each_group_and_takes_each_message_once() {
    for seed in 0..20 {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        simulator.run(async {
            let world = World::new(&env).await;
            let topic =
                world.topic("t.fifo", &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).await;
            let jobs = queue("jobs.fifo");
            world.subscribe(&topic, "sqs", &jobs, &[("RawMessageDelivery", "true")]).await;
            world.targets.mood(&jobs, Mood::Fails(4));
            assert!(world.publish_in(&topic, "x", None).await.is_err(), "a group is required");
            for number in 0..10 {
                for group in ["a", "b"] {
                    let text = format!("{group}{number}");
                    let first = world.publish_in(&topic, &text, Some(group)).await.expect("it is published");
                    let again = world.publish_in(&topic, &text, Some(group)).await.expect("it is answered");
                    assert_eq!(first, again, "a repetition is answered as the first was");
                }
            }
            world.pass(60).await;
            let bodies = world.targets.bodies(&jobs);
            assert_eq!(bodies.len(), 20, "seed {seed}: {bodies:?}");
            for group in ["a", "b"] {
                let own: Vec<_> = bodies.iter().filter(|body| body.starts_with(group)).cloned().collect();
                assert_eq!(
                    own,
                    (0..10).map(|number| format!("{group}{number}")).collect::<Vec<_>>(),
                    "seed {seed}"
                );
            }
            let sent = world.targets.lock().sent[&jobs][0].clone();
            assert!(sent.message_group_id.is_some_and(|group| sent.message_body.starts_with(&group)));
            assert!(sent.message_deduplication_id.is_some_and(|id| id.len() == 64));
            // Five minutes later nothing is remembered.
            world.pass(300).await;
            world.publish_in(&topic, "a0", Some("a")).await.expect("it is published");
            world.pass(1).await;
            assert_eq!(world.targets.bodies(&jobs).len(), 21);
        });
    }
}

#[test]
fn publishers_of_one_fifo_topic_do_not_abort_each_other() {
    let mut simulator = Simulator::new(11);
    let env = simulator.env();
    simulator.run(async {
        let world = World::new(&env).await;
        let topic =
            world.topic("t.fifo", &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).await;
        let jobs = queue("jobs.fifo");
        world.subscribe(&topic, "sqs", &jobs, &[("RawMessageDelivery", "true")]).await;
        let published: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let publishers = (0..300).map(|number| {
            let (world, topic, published) = (world.clone(), topic.clone(), Arc::clone(&published));
            env.spawn("publisher", async move {
                let text = format!("m{number}");
                let input = PublishInput {
                    topic_arn: Some(topic),
                    message: text.clone(),
                    message_group_id: Some("g".into()),
                    ..PublishInput::default()
                };
                let answer = world.call::<Publish>(input).await.expect("it is published");
                let number = answer.sequence_number.expect("it has a number");
                published.lock().expect("unpoisoned").push((number, text));
            })
        });
        let publishers: Vec<_> = publishers.collect();
        for publisher in publishers {
            publisher.join().await.expect("no publisher panics");
        }
        world.pass(10).await;
        let mut published = published.lock().expect("unpoisoned").clone();
        published.sort();
        let texts: Vec<_> = published.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts.len(), 300);
        assert_eq!(world.targets.bodies(&jobs), texts, "they arrive in the order of their numbers");
    });
}

#[test]
fn a_topic_with_many_subscribers_is_walked_in_pages() {
    let mut simulator = Simulator::new(6);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let world = World::on(&env, &store, Targets::default()).await.expect("it boots");
        let topic = world.topic("t", &[]).await;
        for number in 0..250 {
            world.subscribe(&topic, "sqs", &queue(&format!("q{number}")), &[]).await;
        }
        world.publish(&topic, "m").await;
        world.pass(60).await;
        let sent = world.targets.lock().sent.clone();
        assert_eq!(sent.len(), 250);
        assert!(sent.values().all(|one| one.len() == 1));
        assert_eq!(left(&store).await, 0, "nothing of a message stays behind");
    });
}

#[test]
fn what_ends_meanwhile_gets_nothing_and_leaves_nothing() {
    let mut simulator = Simulator::new(7);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let world = World::on(&env, &store, Targets::default()).await.expect("it boots");
        let topic = world.topic("t", &[]).await;
        let (one, two) = (queue("one"), queue("two"));
        let first = world.subscribe(&topic, "sqs", &one, &[]).await;
        world.subscribe(&topic, "sqs", &two, &[]).await;
        world.targets.mood(&one, Mood::Fails(1_000));
        world.targets.mood(&two, Mood::Fails(1_000));
        world.publish(&topic, "m").await;
        world.pass(30).await;
        assert!(left(&store).await > 0);
        world.call::<Unsubscribe>(UnsubscribeInput { subscription_arn: first }).await.expect("it ends");
        world
            .call::<DeleteTopic>(DeleteTopicInput { topic_arn: topic.clone() })
            .await
            .expect("it is deleted");
        world.targets.mood(&two, Mood::Well);
        // A topic of the same name has nothing to do with it.
        let again = world.topic("t", &[]).await;
        world.subscribe(&again, "sqs", &two, &[]).await;
        world.pass(60).await;
        assert!(world.targets.bodies(&one).is_empty() && world.targets.bodies(&two).is_empty());
        assert_eq!(left(&store).await, 0);
    });
}

#[test]
fn every_acknowledged_message_reaches_every_subscriber_through_crashes() {
    let options = Options { checkpoint_bytes: 50_000, ..Options::default() };
    let (mut crashes, mut repeated, mut acknowledged_in_all) = (0, 0, 0);
    for seed in 0..40 {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        let simulated = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        let targets = Targets::default();
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        let (jobs, others) = (queue("jobs.fifo"), queue("others"));
        for round in 0..4 {
            simulated.power_off_after(120 + (seed * 37 + round * 91) % 200);
            let (env, acknowledged, targets) = (env.clone(), Arc::clone(&acknowledged), targets.clone());
            let (disk, options, jobs, others) = (&disk, &options, &jobs, &others);
            let ended: Result<(), String> = simulator.run(async move {
                let store = Store::open(&env, disk, options).map_err(|error| error.to_string())?;
                let world = World::on(&env, &store, targets).await.map_err(|error| error.to_string())?;
                let given = common::owned(&[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]);
                let input = apus_model_sns::CreateTopicInput {
                    name: "t.fifo".into(),
                    attributes: Some(given),
                    ..Default::default()
                };
                let made = world
                    .call::<apus_model_sns::CreateTopic>(input)
                    .await
                    .map_err(|error| error.to_string())?;
                let topic = made.topic_arn.unwrap_or_default();
                for endpoint in [jobs, others] {
                    let input = apus_model_sns::SubscribeInput {
                        topic_arn: topic.clone(),
                        protocol: "sqs".into(),
                        endpoint: Some(endpoint.clone()),
                        attributes: Some(common::owned(&[("RawMessageDelivery", "true")])),
                        ..Default::default()
                    };
                    world
                        .call::<apus_model_sns::Subscribe>(input)
                        .await
                        .map_err(|error| error.to_string())?;
                }
                for number in 0..40 {
                    let text = format!("{round}-{number:02}");
                    world.publish_in(&topic, &text, Some("g")).await.map_err(|error| error.to_string())?;
                    acknowledged.lock().expect("unpoisoned").push(text);
                    env.sleep(Duration::from_millis(env.random_below(50))).await;
                }
                Ok(())
            });
            crashes += u32::from(ended.is_err());
            simulator.crash();
            simulated.crash(Crash::PowerLoss);
        }
        let (env_of_last, targets_of_last, options, disk) = (env.clone(), targets.clone(), &options, &disk);
        simulator.run(async move {
            let store = Store::open(&env_of_last, disk, options).expect("it opens");
            let world = World::on(&env_of_last, &store, targets_of_last).await.expect("it boots");
            world.pass(60).await;
            assert_eq!(left(&store).await, 0, "seed {seed}: nothing stays behind");
        });
        let acknowledged = acknowledged.lock().expect("unpoisoned");
        acknowledged_in_all += acknowledged.len();
        for endpoint in [&jobs, &others] {
            let bodies = targets.bodies(endpoint);
            let mut firsts: Vec<&String> = Vec::new();
            for body in &bodies {
                if !firsts.contains(&body) {
                    firsts.push(body);
                }
            }
            repeated += bodies.len() - firsts.len();
            for text in acknowledged.iter() {
                // Subscribed before anything was published: nobody may miss one.
                assert!(firsts.contains(&text), "seed {seed}: {text} never reached {endpoint}");
            }
            assert!(firsts.is_sorted(), "seed {seed}: the order of the group holds: {firsts:?}");
        }
    }
    assert!(crashes > 40, "most rounds end in a crash: {crashes}");
    assert!(acknowledged_in_all > 500, "rounds get somewhere: {acknowledged_in_all}");
    assert!(
        repeated > 0,
        "some crash must fall between a delivery and its record, or this test shows little"
    );
}
