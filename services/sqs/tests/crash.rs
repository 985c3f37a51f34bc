//! Queues on a disk that loses what was not synced, with the power cut in the middle of everything.
//!
//! What was acknowledged is in exactly one queue, whatever was on its way to the dead-letter queue; a FIFO group keeps its
//! order; what was deleted stays away.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_model_sqs::{
    DeleteMessage, DeleteMessageRequest, Message, ReceiveMessage, ReceiveMessageRequest, SendMessage,
    SendMessageRequest,
};
use apus_store::disk::{Crash, Disk, SimDisk};
use apus_store::{Options, Store};
use common::{World, attribute, body, contradictions, handle};

/// Crashes of a story.
const CRASHES: usize = 5;
/// How long a queue hides what was received, in seconds.
const VISIBILITY_SECS: u64 = 4;

/// What clients have asked for and been told.
#[derive(Clone, Default)]
struct History(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    next: usize,
    /// Acknowledged sends: each body with its group and sequence number, if its queue is a FIFO queue.
    sent: BTreeMap<String, Option<(String, String)>>,
    /// Bodies whose deletion was asked for.
    deleting: BTreeSet<String>,
    /// Bodies whose deletion was acknowledged while the receiver surely had them.
    deleted: BTreeSet<String>,
    dead: usize,
}

impl History {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().expect("nobody panics with it")
    }

    fn number(&self) -> usize {
        let mut facts = self.facts();
        facts.next += 1;
        facts.next
    }

    /// A message of a FIFO queue is received: all of its group that were sent before it must be on their way out.
    fn check_order(&self, message: &Message) {
        let group = attribute(message, "MessageGroupId").expect("it has a group");
        let sequence = attribute(message, "SequenceNumber").expect("it has a number");
        let facts = self.facts();
        for (body, place) in &facts.sent {
            let Some((other_group, other)) = place else { continue };
            let overtaken = *other_group == group && *other < sequence && !facts.deleting.contains(body);
            assert!(!overtaken, "{} overtook {body} in {group}", message.body.as_deref().unwrap_or_default());
        }
    }
}

async fn produce(world: World, history: History, fifo: bool) {
    loop {
        let number = history.number();
        let group = format!("g{}", world.env.random_below(3));
        let input = SendMessageRequest {
            queue_url: world.url.clone(),
            message_body: format!("m{number}"),
            message_group_id: fifo.then(|| group.clone()),
            message_deduplication_id: fifo.then(|| number.to_string()),
            delay_seconds: (!fifo && number.is_multiple_of(7)).then_some(1),
            ..SendMessageRequest::default()
        };
        if let Ok(sent) = world.call::<SendMessage>(input).await {
            let place = sent.sequence_number.map(|sequence| (group, sequence));
            history.facts().sent.insert(format!("m{number}"), place);
        }
        pause(&world.env, 300).await;
    }
}

async fn consume(world: World, history: History, fifo: bool) {
    loop {
        let Ok(messages) = receive(&world, 1 + world.env.random_below(4), 1).await else {
            pause(&world.env, 100).await;
            continue;
        };
        let asked = world.env.monotonic();
        if fifo {
            // Of one receive the first is looked at: those behind it are of its group, or of others.
            messages.first().into_iter().for_each(|message| history.check_order(message));
        }
        for message in messages {
            // Some fail to be handled, and die of it on the standard queue.
            if world.env.random_below(3) == 0 {
                break;
            }
            history.facts().deleting.insert(body(&message));
            let input =
                DeleteMessageRequest { queue_url: world.url.clone(), receipt_handle: handle(&message) };
            let deleted = world.call::<DeleteMessage>(input).await.is_ok();
            let in_time = world.env.monotonic() < asked + Duration::from_secs(VISIBILITY_SECS - 2);
            if deleted && in_time {
                history.facts().deleted.insert(body(&message));
            }
        }
        pause(&world.env, 300).await;
    }
}

async fn pause(env: &Env, millis_max: u64) {
    env.sleep(Duration::from_millis(env.random_below(millis_max))).await;
}

async fn receive(world: &World, count: u64, wait: i32) -> Result<Vec<Message>, apus_schema::ServiceError> {
    let input = ReceiveMessageRequest {
        queue_url: world.url.clone(),
        max_number_of_messages: Some(count as i32),
        wait_time_seconds: Some(wait),
        message_system_attribute_names: Some(vec!["All".into()]),
        ..ReceiveMessageRequest::default()
    };
    Ok(world.call::<ReceiveMessage>(input).await?.messages.unwrap_or_default())
}

/// The standard queue, its dead-letter queue and the FIFO queue, on whatever the disk holds.
async fn open(env: &Env, disk: &SimDisk) -> [World; 3] {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { checkpoint_bytes: 50_000, ..Options::default() };
    let store = Store::open(env, &shared, &options).expect("the store opens");
    assert_eq!(contradictions(&store).await, Vec::<String>::new());
    let world = World::on(env, store).await;
    let visibility = VISIBILITY_SECS.to_string();
    let visibility = ("VisibilityTimeout", visibility.as_str());
    let policy =
        r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}"#;
    let dead = world.queue("dead", &[visibility]).await;
    let jobs = world.queue("jobs", &[visibility, ("RedrivePolicy", policy)]).await;
    let ordered = world.queue("ordered.fifo", &[visibility]).await;
    [jobs, dead, ordered]
}

/// Receives and deletes all that there is, or will be visible soon.
async fn drain(world: &World) -> Vec<Message> {
    let mut drained = Vec::new();
    loop {
        let messages = receive(world, 10, 20).await.expect("it answers");
        if messages.is_empty() {
            return drained;
        }
        for message in messages {
            world.delete(&handle(&message)).await;
            drained.push(message);
        }
    }
}

fn tell(seed: u64) -> Facts {
    let mut simulator = Simulator::new(seed);
    let env = simulator.env();
    let disk = SimDisk::new(seed);
    let history = History::default();
    for _ in 0..CRASHES {
        simulator.run(async {
            let [jobs, _dead, ordered] = open(&env, &disk).await;
            for world in [&jobs, &ordered] {
                let fifo = world.url == ordered.url;
                for _ in 0..3 {
                    let (world, history) = (world.clone(), history.clone());
                    env.spawn("producer", produce(world.clone(), history.clone(), fifo));
                    env.spawn("consumer", consume(world, history, fifo));
                }
            }
            env.sleep(Duration::from_secs(4 + env.random_below(5))).await;
            disk.power_off_after(1 + env.random_below(20));
            env.sleep(Duration::from_millis(env.random_below(200))).await;
        });
        disk.crash(Crash::PowerLoss);
        simulator.crash();
    }
    let drained = simulator.run(async {
        let worlds = open(&env, &disk).await;
        let mut drained = Vec::new();
        for world in &worlds {
            drained.push(drain(world).await);
        }
        assert_eq!(contradictions(&worlds[0].store).await, Vec::<String>::new());
        // Dead letters of the drain itself.
        drained[1].extend(drain(&worlds[1]).await);
        drained
    });
    let mut facts = std::mem::take(&mut *history.facts());
    let found: Vec<String> = drained.iter().flatten().map(body).collect();
    let all: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(all.len(), found.len(), "seed {seed}: a message is in two places");
    for body in facts.sent.keys().filter(|body| !facts.deleting.contains(*body)) {
        assert!(all.contains(body), "seed {seed}: {body} was acknowledged and is lost");
    }
    for body in &facts.deleted {
        assert!(!all.contains(body), "seed {seed}: {body} was deleted and is back");
    }
    let mut last = BTreeMap::new();
    for message in &drained[2] {
        let group = attribute(message, "MessageGroupId").expect("it has a group");
        let sequence = attribute(message, "SequenceNumber").expect("it has a number");
        let before = last.insert(group, sequence.clone());
        assert!(before.is_none_or(|before| before < sequence), "seed {seed}: a group lost its order");
    }
    facts.dead = drained[1].len();
    facts
}

#[test]
fn what_was_acknowledged_is_in_one_queue_and_in_order_after_every_crash() {
    let (mut sent, mut deleted, mut dead) = (0, 0, 0);
    for seed in 0..4 {
        let facts = tell(seed);
        sent += facts.sent.len();
        deleted += facts.deleted.len();
        dead += facts.dead;
    }
    // The stories have to be about something.
    assert!(sent > 2_500 && deleted > 500 && dead > 150, "{sent} sent, {deleted} deleted, {dead} dead");
}
