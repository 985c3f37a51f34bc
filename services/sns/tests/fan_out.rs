//! Fan-out against a model: whatever is subscribed, changed and ended between publications, each queue gets what the
//! model says that it gets, in the form that it asked for, and once.

#[allow(dead_code, reason = "each test file uses its share")]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_model_sns::{
    DeleteTopic, DeleteTopicInput, MessageAttributeValue, Publish, PublishBatch, PublishBatchInput,
    PublishBatchRequestEntry, PublishInput, SetSubscriptionAttributes, SetSubscriptionAttributesInput,
    Unsubscribe, UnsubscribeInput,
};
use apus_store::Store;
use serde_json::Value;

use common::{Mood, Targets, World, left, queue};

const COLOURS: [&str; 3] = ["red", "green", "reddish"];
const QUEUES: u64 = 6;
const STEPS: u64 = 80;
const SEEDS: u64 = 40;

/// A message, as filters see it.
#[derive(Clone, Debug)]
struct Message {
    text: String,
    colour: Option<&'static str>,
    number: Option<u64>,
    /// The text is JSON with this at `k`.
    key: Option<u64>,
}

/// A filter policy, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Everything,
    Colour(&'static str),
    ColourPrefix,
    NotColour(&'static str),
    NumberFrom(u64),
    NoNumber,
    KeyBelow(u64),
    ColourOrNumber(&'static str, u64),
}

impl Filter {
    fn any(env: &Env) -> Self {
        let colour = COLOURS[env.random_below(3) as usize];
        match env.random_below(8) {
            0 => Self::Everything,
            1 => Self::Colour(colour),
            2 => Self::ColourPrefix,
            3 => Self::NotColour(colour),
            4 => Self::NumberFrom(env.random_below(10)),
            5 => Self::NoNumber,
            6 => Self::KeyBelow(env.random_below(10)),
            _ => Self::ColourOrNumber(colour, env.random_below(10)),
        }
    }

    /// The attributes that set it, the scope first.
    fn attributes(self) -> [(&'static str, String); 2] {
        let (scope, policy) = match self {
            Self::Everything => ("MessageAttributes", "{}".to_owned()),
            Self::Colour(colour) => ("MessageAttributes", format!(r#"{{"colour": ["{colour}"]}}"#)),
            Self::ColourPrefix => ("MessageAttributes", r#"{"colour": [{"prefix": "red"}]}"#.to_owned()),
            Self::NotColour(colour) => {
                ("MessageAttributes", format!(r#"{{"colour": [{{"anything-but": ["{colour}"]}}]}}"#))
            }
            Self::NumberFrom(least) => {
                ("MessageAttributes", format!(r#"{{"number": [{{"numeric": [">=", {least}]}}]}}"#))
            }
            Self::NoNumber => ("MessageAttributes", r#"{"number": [{"exists": false}]}"#.to_owned()),
            Self::KeyBelow(bound) => ("MessageBody", format!(r#"{{"k": [{{"numeric": ["<", {bound}]}}]}}"#)),
            Self::ColourOrNumber(colour, number) => (
                "MessageAttributes",
                format!(r#"{{"$or": [{{"colour": ["{colour}"]}}, {{"number": [{number}]}}]}}"#),
            ),
        };
        [("FilterPolicyScope", scope.to_owned()), ("FilterPolicy", policy)]
    }

    fn lets_through(self, message: &Message) -> bool {
        match self {
            Self::Everything => true,
            Self::Colour(colour) => message.colour == Some(colour),
            Self::ColourPrefix => message.colour.is_some_and(|own| own.starts_with("red")),
            Self::NotColour(colour) => message.colour.is_some_and(|own| own != colour),
            Self::NumberFrom(least) => message.number.is_some_and(|own| own >= least),
            Self::NoNumber => message.number.is_none(),
            Self::KeyBelow(bound) => message.key.is_some_and(|own| own < bound),
            Self::ColourOrNumber(colour, number) => {
                message.colour == Some(colour) || message.number == Some(number)
            }
        }
    }
}

struct Subscription {
    arn: String,
    filter: Filter,
    is_raw: bool,
}

/// A story and what the queues must have at its end.
struct Story {
    env: Env,
    world: World,
    topic: String,
    subscriptions: BTreeMap<String, Subscription>,
    expected: BTreeMap<String, BTreeMap<String, bool>>,
    published: u64,
}

impl Story {
    async fn step(&mut self) {
        let queue = queue(&format!("q{}", self.env.random_below(QUEUES)));
        match self.env.random_below(20) {
            0..=2 => self.subscribe(queue).await,
            3 => {
                if let Some(ended) = self.subscriptions.remove(&queue) {
                    let input = UnsubscribeInput { subscription_arn: ended.arn };
                    self.world.call::<Unsubscribe>(input).await.expect("it ends");
                }
            }
            4..=5 => {
                let filter = Filter::any(&self.env);
                self.set_filter(&queue, filter).await;
            }
            6 => self.world.targets.mood(&queue, Mood::Fails(self.env.random_below(4) as u32)),
            7 if self.env.random_below(4) == 0 => {
                let input = DeleteTopicInput { topic_arn: self.topic.clone() };
                self.world.call::<DeleteTopic>(input).await.expect("it is deleted");
                self.subscriptions.clear();
                self.topic = self.world.topic("t", &[]).await;
            }
            8..=10 => self.publish_batch().await,
            _ => self.publish().await,
        }
    }

    async fn subscribe(&mut self, queue: String) {
        if self.subscriptions.contains_key(&queue) {
            return;
        }
        let filter = Filter::any(&self.env);
        let is_raw = self.env.random_below(3) > 0;
        let [scope, policy] = filter.attributes();
        let raw = is_raw.to_string();
        let attributes = [(scope.0, &*scope.1), (policy.0, &*policy.1), ("RawMessageDelivery", &*raw)];
        let arn = self.world.subscribe(&self.topic, "sqs", &queue, &attributes).await;
        self.subscriptions.insert(queue, Subscription { arn, filter, is_raw });
    }

    async fn set_filter(&mut self, queue: &str, filter: Filter) {
        let Some(own) = self.subscriptions.get_mut(queue) else { return };
        for (name, value) in filter.attributes() {
            let input = SetSubscriptionAttributesInput {
                subscription_arn: own.arn.clone(),
                attribute_name: name.into(),
                attribute_value: Some(value),
            };
            self.world.call::<SetSubscriptionAttributes>(input).await.expect("it is set");
        }
        own.filter = filter;
    }

    fn message(&mut self) -> Message {
        self.published += 1;
        let below = |bound| self.env.random_below(bound);
        let key = (below(2) == 0).then(|| below(10));
        let text = match key {
            Some(key) => format!(r#"{{"m": {}, "k": {key}}}"#, self.published),
            None => format!("m{}", self.published),
        };
        let colour = (below(3) > 0).then(|| COLOURS[below(3) as usize]);
        Message { text, colour, number: (below(2) == 0).then(|| below(10)), key }
    }

    fn expect(&mut self, message: &Message) {
        for (queue, own) in self.subscriptions.iter().filter(|(_, own)| own.filter.lets_through(message)) {
            self.expected.entry(queue.clone()).or_default().insert(message.text.clone(), own.is_raw);
        }
    }

    async fn publish(&mut self) {
        let message = self.message();
        let input = PublishInput {
            topic_arn: Some(self.topic.clone()),
            message: message.text.clone(),
            message_attributes: Some(attributes(&message)),
            ..PublishInput::default()
        };
        self.world.call::<Publish>(input).await.expect("it is published");
        self.expect(&message);
        // Who is subscribed counts when a message is fanned out, which is a moment later.
        self.world.pass(1).await;
    }

    async fn publish_batch(&mut self) {
        let messages: Vec<_> = (0..=self.env.random_below(9)).map(|_| self.message()).collect();
        let entries = messages.iter().enumerate().map(|(at, message)| PublishBatchRequestEntry {
            id: at.to_string(),
            message: message.text.clone(),
            message_attributes: Some(attributes(message)),
            // One of a batch is refused, and the others are not.
            subject: (at == 3).then(|| "\n".to_owned()),
            ..PublishBatchRequestEntry::default()
        });
        let input = PublishBatchInput {
            topic_arn: self.topic.clone(),
            publish_batch_request_entries: entries.collect(),
        };
        let answer = self.world.call::<PublishBatch>(input).await.expect("it is published");
        let failed: Vec<_> = answer.failed.unwrap_or_default().into_iter().map(|one| one.id).collect();
        assert_eq!(failed, if messages.len() > 3 { vec!["3"] } else { Vec::new() });
        for (_, message) in messages.iter().enumerate().filter(|(at, _)| *at != 3) {
            self.expect(message);
        }
        self.world.pass(1).await;
    }
}

fn attributes(message: &Message) -> BTreeMap<String, MessageAttributeValue> {
    let value = |data_type: &str, text: String| MessageAttributeValue {
        data_type: data_type.into(),
        string_value: Some(text),
        ..MessageAttributeValue::default()
    };
    let colour = message.colour.map(|colour| ("colour".to_owned(), value("String", colour.to_owned())));
    let number = message.number.map(|number| ("number".to_owned(), value("Number", number.to_string())));
    colour.into_iter().chain(number).collect()
}

#[test]
fn every_queue_gets_what_the_model_says() {
    let (mut delivered, mut withheld) = (0, 0);
    for seed in 0..SEEDS {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        let (got, kept) = simulator.run(async {
            let store = Store::memory(&env);
            let world = World::on(&env, &store, Targets::default()).await.expect("it boots");
            let topic = world.topic("t", &[]).await;
            let (subscriptions, expected) = (BTreeMap::new(), BTreeMap::new());
            let mut story = Story { env: env.clone(), world, topic, subscriptions, expected, published: 0 };
            for _ in 0..STEPS {
                story.step().await;
                // What was left to retry for one that ends would be lost with it; let it arrive first.
                story.world.pass(10).await;
            }
            let Story { world, expected, published, .. } = story;
            for number in 0..QUEUES {
                let queue = queue(&format!("q{number}"));
                let expected = expected.get(&queue).cloned().unwrap_or_default();
                let mut texts = BTreeSet::new();
                for body in world.targets.bodies(&queue) {
                    let document: Option<Value> = serde_json::from_str(&body).ok();
                    let wrapped = document.as_ref().and_then(|document| document["Message"].as_str());
                    let text = wrapped.unwrap_or(&body).to_owned();
                    assert_eq!(
                        expected.get(&text),
                        Some(&wrapped.is_none()),
                        "seed {seed}: {queue} got {body}"
                    );
                    assert!(texts.insert(text), "seed {seed}: {queue} got {body} twice");
                }
                assert_eq!(texts.len(), expected.len(), "seed {seed}: {queue} misses some of {expected:?}");
            }
            assert_eq!(left(&store).await, 0, "seed {seed}: nothing of a message stays behind");
            let delivered: usize = expected.values().map(BTreeMap::len).sum();
            (delivered as u64, published * QUEUES - delivered as u64)
        });
        delivered += got;
        withheld += kept;
    }
    assert!(delivered > 1_000 && withheld > 1_000, "{delivered} delivered, {withheld} withheld");
}
