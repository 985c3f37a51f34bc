//! What happens to queues by itself: expiry, emptying, moves; under the simulator, over days, without anybody asking.

mod common;

use std::time::Duration;

use apus_model_sqs::{
    DeleteQueue, DeleteQueueRequest, ListMessageMoveTasks, ListMessageMoveTasksRequest, PurgeQueue,
    PurgeQueueRequest, ReceiveMessage, ReceiveMessageRequest, SendMessageBatch, SendMessageBatchRequest,
    SendMessageBatchRequestEntry, SetQueueAttributes, SetQueueAttributesRequest, StartMessageMoveTask,
    StartMessageMoveTaskRequest, errors,
};
use apus_store::Store;
use common::{World, attribute, bodies, handle, run};
use futures_util::future::join_all;

async fn send_many(world: &World, count: usize) {
    let batches = (0..count.div_ceil(10)).map(|batch| {
        let entry = |number: usize| SendMessageBatchRequestEntry {
            id: number.to_string(),
            message_body: format!("{number}"),
            ..SendMessageBatchRequestEntry::default()
        };
        let entries = (batch * 10..count.min(batch * 10 + 10)).map(entry).collect();
        world.call::<SendMessageBatch>(SendMessageBatchRequest { queue_url: world.url.clone(), entries })
    });
    for sent in join_all(batches).await {
        assert!(sent.expect("they are sent").failed.is_empty());
    }
}

async fn set(world: &World, name: &str, value: &str) {
    let attributes = [(name.to_owned(), value.to_owned())].into();
    let input = SetQueueAttributesRequest { queue_url: world.url.clone(), attributes };
    world.call::<SetQueueAttributes>(input).await.expect("it is set");
}

#[test]
fn messages_expire_without_anybody_looking_whatever_they_are_doing() {
    run(1, async |env| {
        let world = World::new(&env, &[("MessageRetentionPeriod", "3600")]).await;
        send_many(&world, 450).await;
        world.send("delayed", 900).await;
        assert_eq!(world.receive(10, 43_200, 0).await.len(), 10);
        world.pass(3_000).await;
        world.send("young", 0).await;
        assert_eq!(world.counts().await, (442, 10, 0));
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        world.pass(601).await;
        // Seen in the store itself: one body and its place.
        assert_eq!(world.rows("messages").await, 2);
        assert_eq!(world.counts().await, (1, 0, 0));
        assert_eq!(bodies(&world.receive(10, 0, 0).await), ["young"]);
        assert_eq!(world.scheduled().await, 1);
        assert_eq!(world.contradictions().await, Vec::<String>::new());
    });
}

#[test]
fn a_shorter_retention_takes_effect_on_what_is_there() {
    run(2, async |env| {
        let world = World::new(&env, &[]).await;
        send_many(&world, 150).await;
        world.pass(120).await;
        set(&world, "MessageRetentionPeriod", "60").await;
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        world.pass(0).await;
        assert_eq!(world.rows("messages").await, 0);
        assert_eq!(world.scheduled().await, 0);
    });
}

#[test]
fn purges_and_deletions_leave_nothing_behind() {
    run(3, async |env| {
        let world = World::new(&env, &[]).await;
        send_many(&world, 2_500).await;
        let held = world.receive(1, 600, 0).await;
        let purge = || world.call::<PurgeQueue>(PurgeQueueRequest { queue_url: world.url.clone() });
        purge().await.expect("it is purged");
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        assert_eq!(world.counts().await, (0, 0, 0));
        world.send("after", 0).await;
        world.pass(0).await;
        assert_eq!(world.rows("messages").await, 2, "only what came after");
        world.delete(&handle(&held[0])).await;
        assert_eq!(bodies(&world.receive(10, 0, 0).await), ["after"]);
        let refused = purge().await.expect_err("it rests");
        assert!(refused.is(&errors::PURGE_QUEUE_IN_PROGRESS));
        world.pass(60).await;
        purge().await.expect("it has rested");

        send_many(&world, 1_500).await;
        let waiting = world.receive(1, 30, 20);
        drop(waiting);
        let delete = DeleteQueueRequest { queue_url: world.url.clone() };
        world.call::<DeleteQueue>(delete).await.expect("it is deleted");
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        world.pass(61).await;
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        for kind in ["queue", "messages", "own", "deleted"] {
            assert_eq!(world.rows(kind).await, 0, "{kind}");
        }
        assert_eq!(world.scheduled().await, 0);
        let again = world.queue("jobs", &[]).await;
        assert_eq!(again.counts().await, (0, 0, 0));
    });
}

#[test]
fn who_waits_at_a_queue_that_is_deleted_is_told() {
    run(4, async |env| {
        let world = World::new(&env, &[]).await;
        let input = ReceiveMessageRequest {
            queue_url: world.url.clone(),
            wait_time_seconds: Some(20),
            ..ReceiveMessageRequest::default()
        };
        let delete = async {
            env.sleep(Duration::from_secs(1)).await;
            world.call::<DeleteQueue>(DeleteQueueRequest { queue_url: world.url.clone() }).await
        };
        let (waited, deleted) = futures_util::future::join(world.call::<ReceiveMessage>(input), delete).await;
        assert!(deleted.is_ok());
        assert!(waited.expect_err("the queue is gone").is(&errors::QUEUE_DOES_NOT_EXIST));
        assert_eq!(env.monotonic().as_secs(), 1);
    });
}

/// A dead-letter queue and a queue that gives each message one chance.
async fn pair(env: &apus_env::Env) -> (World, World) {
    let dead = World::on(env, Store::memory(env)).await.queue("dead", &[]).await;
    let policy =
        r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}"#;
    (dead.queue("jobs", &[("RedrivePolicy", policy)]).await, dead)
}

#[test]
fn a_dead_letter_wakes_who_waits_for_it() {
    run(5, async |env| {
        let (world, dead) = pair(&env).await;
        world.send("poison", 0).await;
        assert_eq!(world.receive(1, 5, 0).await.len(), 1);
        let (none, letter) =
            futures_util::future::join(world.receive(1, 5, 20), dead.receive(1, 30, 20)).await;
        assert!(none.is_empty());
        assert_eq!(bodies(&letter), ["poison"]);
        let source = attribute(&letter[0], "DeadLetterQueueSourceArn");
        assert_eq!(source.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:jobs"));
    });
}

#[test]
fn a_message_whose_dead_letter_queue_is_gone_stays() {
    run(6, async |env| {
        let (world, dead) = pair(&env).await;
        world.send("poison", 0).await;
        let delete = DeleteQueueRequest { queue_url: dead.url.clone() };
        dead.call::<DeleteQueue>(delete).await.expect("it is deleted");
        for _ in 0..3 {
            assert_eq!(bodies(&world.receive(1, 0, 0).await), ["poison"]);
        }
    });
}

#[test]
fn a_move_goes_on_where_a_restart_broke_it_off_and_keeps_to_its_rate() {
    run(7, async |env| {
        let (world, dead) = pair(&env).await;
        send_many(&world, 50).await;
        for _ in 0..6 {
            world.receive(10, 0, 0).await;
        }
        while dead.counts().await.0 < 50 {
            world.receive(10, 0, 0).await;
        }
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        let start = StartMessageMoveTaskRequest {
            source_arn: arn.into(),
            max_number_of_messages_per_second: Some(5),
            ..StartMessageMoveTaskRequest::default()
        };
        dead.call::<StartMessageMoveTask>(start).await.expect("it starts");
        dead.pass(3).await;
        assert_eq!(dead.contradictions().await, Vec::<String>::new());
        assert_eq!(dead.counts().await.0, 50 - 20);
        let dead = dead.restarted().await;
        let world = World { platform: dead.platform.clone(), ..world };
        dead.pass(7).await;
        let list = ListMessageMoveTasksRequest { source_arn: arn.into(), max_results: None };
        let tasks = dead.call::<ListMessageMoveTasks>(list).await.expect("it is listed");
        let [task] = &tasks.results.expect("there is one")[..] else { panic!("there is one") };
        assert_eq!(task.status.as_deref(), Some("COMPLETED"));
        assert_eq!(task.approximate_number_of_messages_moved, Some(50));
        assert_eq!(dead.counts().await, (0, 0, 0));
        assert_eq!(world.counts().await, (50, 0, 0));
        assert_eq!(world.contradictions().await, Vec::<String>::new());
    });
}

#[test]
fn no_more_than_120_000_messages_are_in_flight() {
    run(8, async |env| {
        let world = World::new(&env, &[]).await;
        let receive = |wait| {
            let input = ReceiveMessageRequest {
                queue_url: world.url.clone(),
                max_number_of_messages: Some(10),
                visibility_timeout: Some(600),
                wait_time_seconds: Some(wait),
                ..ReceiveMessageRequest::default()
            };
            world.call::<ReceiveMessage>(input)
        };
        for _ in 0..10 {
            send_many(&world, 12_001).await;
            for received in join_all((0..1_200).map(|_| receive(0))).await {
                assert_eq!(received.expect("there is room").messages.map_or(0, |got| got.len()), 10);
            }
        }
        assert_eq!(world.counts().await, (10, 120_000, 0));
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        assert!(receive(0).await.expect_err("there is no room").is(&errors::OVER_LIMIT));
        assert_eq!(receive(1).await.expect("a long poll is told nothing").messages, None);
    });
}

#[test]
fn more_becomes_ready_at_once_than_one_step_takes() {
    run(9, async |env| {
        let world = World::new(&env, &[]).await;
        send_many(&world, 2_500).await;
        let mut handles = Vec::new();
        for received in join_all((0..250).map(|_| world.receive(10, 10, 0))).await {
            handles.extend(received.iter().map(handle));
        }
        assert_eq!(handles.len(), 2_500);
        world.pass(10).await;
        // The last of them wait still where they waited, and are deleted there.
        for handle in handles.iter().rev().take(100) {
            world.delete(handle).await;
        }
        assert_eq!(world.counts().await, (2_400, 0, 0));
        assert_eq!(world.contradictions().await, Vec::<String>::new());
        let mut again = 0;
        for received in join_all((0..250).map(|_| world.receive(10, 600, 0))).await {
            again += received.len();
        }
        assert_eq!(again, 2_400);
        assert_eq!(world.counts().await, (0, 2_400, 0));
    });
}
