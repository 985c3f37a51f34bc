//! Queues that are made, changed, purged, moved and deleted while they are worked, on a disk whose power is cut: no crash
//! leaves rows that contradict each other, and everything that is left behind goes.

mod common;

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, DeleteQueue, DeleteQueueRequest, PurgeQueue, PurgeQueueRequest,
    ReceiveMessage, ReceiveMessageRequest, SendMessage, SendMessageRequest, SetQueueAttributes,
    SetQueueAttributesRequest, StartMessageMoveTask, StartMessageMoveTaskRequest,
};
use apus_store::disk::{Crash, Disk, SimDisk};
use apus_store::{Options, Store};
use common::{World, contradictions};

/// Crashes of a story.
const CRASHES: usize = 8;
const SEEDS: u64 = 3;
const NAMES: [&str; 4] = ["dead", "jobs", "dead.fifo", "jobs.fifo"];
const BASE_URL: &str = "http://127.0.0.1/000000000000";

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

/// The queue's redrive policy: its dead go to the queue of its own kind.
fn redrive(name: &str) -> (String, String) {
    let dead = name.replace("jobs", "dead");
    let policy = format!(r#"{{"deadLetterTargetArn": "{}", "maxReceiveCount": 1}}"#, arn(&dead));
    ("RedrivePolicy".into(), policy)
}

async fn make(world: &World, name: &str) -> bool {
    let fifo = name.rsplit_once('.').map(|_| ("FifoQueue".to_owned(), "true".to_owned()));
    let attributes = fifo.into_iter().chain(name.starts_with("jobs").then(|| redrive(name))).collect();
    let input = CreateQueueRequest {
        queue_name: name.into(),
        attributes: Some(attributes),
        ..CreateQueueRequest::default()
    };
    world.call::<CreateQueue>(input).await.is_ok()
}

/// Commands of every kind, about one queue or the other; many are refused. How many were not.
async fn command(world: World, done: Arc<std::sync::atomic::AtomicUsize>) {
    loop {
        let name = NAMES[world.env.random_below(4) as usize];
        let queue_url = format!("{BASE_URL}/{name}");
        let set = |name: &str, value: String| {
            let attributes = [(name.to_owned(), value)].into();
            world.call::<SetQueueAttributes>(SetQueueAttributesRequest {
                queue_url: queue_url.clone(),
                attributes,
            })
        };
        let accepted = match world.env.random_below(7) {
            0 => world.call::<PurgeQueue>(PurgeQueueRequest { queue_url }).await.is_ok(),
            1 => world.call::<DeleteQueue>(DeleteQueueRequest { queue_url }).await.is_ok(),
            2 => set("MessageRetentionPeriod", (60 + world.env.random_below(200)).to_string()).await.is_ok(),
            3 => set("RedrivePolicy", String::new()).await.is_ok(),
            4 => {
                let source_arn = arn(&name.replace("jobs", "dead"));
                let max_number_of_messages_per_second = Some(1 + world.env.random_below(5) as i32);
                let input = StartMessageMoveTaskRequest {
                    source_arn,
                    max_number_of_messages_per_second,
                    ..StartMessageMoveTaskRequest::default()
                };
                world.call::<StartMessageMoveTask>(input).await.is_ok()
            }
            _ => make(&world, name).await,
        };
        done.fetch_add(usize::from(accepted), std::sync::atomic::Ordering::Relaxed);
        pause(&world.env, 5_000).await;
    }
}

/// Sends to a queue and receives from it; of what is received a third is deleted.
async fn work(world: World, name: &'static str) {
    let (queue_url, fifo) = (format!("{BASE_URL}/{name}"), name.contains('.'));
    loop {
        let number = world.env.random_below(50);
        let input = SendMessageRequest {
            queue_url: queue_url.clone(),
            message_body: format!("m{number}"),
            message_group_id: fifo.then(|| format!("g{}", number % 3)),
            message_deduplication_id: fifo.then(|| number.to_string()),
            delay_seconds: (!fifo && number.is_multiple_of(7)).then_some(3),
            ..SendMessageRequest::default()
        };
        let _queue_may_be_gone = world.call::<SendMessage>(input).await;
        let input = ReceiveMessageRequest {
            queue_url: queue_url.clone(),
            max_number_of_messages: Some(3),
            visibility_timeout: Some(2),
            receive_request_attempt_id: fifo.then(|| format!("a{}", number % 5)),
            ..ReceiveMessageRequest::default()
        };
        let received = world.call::<ReceiveMessage>(input).await.ok().and_then(|received| received.messages);
        for message in received.unwrap_or_default() {
            if world.env.random_below(3) == 0 {
                let world = World { url: queue_url.clone(), ..world.clone() };
                let _may_be_gone = world.try_delete(&common::handle(&message)).await;
            }
        }
        pause(&world.env, 400).await;
    }
}

async fn pause(env: &Env, millis_max: u64) {
    env.sleep(Duration::from_millis(env.random_below(millis_max))).await;
}

async fn open(env: &Env, disk: &SimDisk, seed: u64) -> World {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { checkpoint_bytes: 50_000, ..Options::default() };
    let store = Store::open(env, &shared, &options).expect("the store opens");
    assert_eq!(contradictions(&store).await, Vec::<String>::new(), "seed {seed}");
    World::on(env, store).await
}

/// How many commands were accepted.
fn tell(seed: u64) -> usize {
    let mut simulator = Simulator::new(seed);
    let (env, disk) = (simulator.env(), SimDisk::new(seed));
    let done = Arc::default();
    for _ in 0..CRASHES {
        simulator.run(async {
            let world = open(&env, &disk, seed).await;
            for name in NAMES {
                make(&world, name).await;
                env.spawn("worker", work(world.clone(), name));
            }
            env.spawn("commands", command(world.clone(), Arc::clone(&done)));
            env.sleep(Duration::from_secs(30 + env.random_below(90))).await;
            // A snapshot of the middle of it is as sound as what a crash leaves.
            assert_eq!(world.contradictions().await, Vec::<String>::new(), "seed {seed}");
            disk.power_off_after(1 + env.random_below(20));
            env.sleep(Duration::from_millis(env.random_below(500))).await;
        });
        disk.crash(Crash::PowerLoss);
        simulator.crash();
    }
    simulator.run(async {
        let world = open(&env, &disk, seed).await;
        for name in NAMES {
            let queue_url = format!("{BASE_URL}/{name}");
            let _may_be_gone = world.call::<DeleteQueue>(DeleteQueueRequest { queue_url }).await;
        }
        world.pass(120).await;
        for kind in ["queue", "messages", "own", "deleted", "source"] {
            assert_eq!(world.rows(kind).await, 0, "seed {seed}: {kind}");
        }
        assert_eq!(world.scheduled().await, 0, "seed {seed}");
    });
    done.load(std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn no_crash_amid_commands_leaves_contradictions_or_rows_behind() {
    let accepted: usize = (0..SEEDS).map(tell).sum();
    assert!(accepted > 200, "the stories have to be about something: {accepted}");
}
