//! Groups, streams and what becomes of them.

mod common;

use std::time::Duration;

use apus_model_logs::{
    DeleteLogGroup, DeleteLogGroupRequest, DeleteLogStream, DeleteLogStreamRequest, DeleteRetentionPolicy,
    DeleteRetentionPolicyRequest, DescribeLogGroups, DescribeLogGroupsRequest, DescribeLogStreams,
    DescribeLogStreamsRequest, OrderBy, PutRetentionPolicy, PutRetentionPolicyRequest, PutSubscriptionFilter,
    PutSubscriptionFilterRequest,
};
use base64::Engine as _;
use common::{DAY_MS, GROUP, World, run};

async fn retain(world: &World, days: i32) {
    let input = PutRetentionPolicyRequest { log_group_name: GROUP.into(), retention_in_days: days };
    world.call::<PutRetentionPolicy>(input).await.expect("allowed");
}

#[test]
fn what_retention_has_passed_is_gone_at_once_for_readers_and_soon_from_the_store() {
    run(1, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let empty = world.rows().await;
        for day in 0..10 {
            let now = world.now_ms();
            world.put("s", &[(now - 60_000, "early"), (now, "late")]).await.expect("taken");
            assert_eq!(world.get("s", |_| {}).await.events.expect("a list").len(), 2 * (day + 1));
            env.sleep(Duration::from_hours(24)).await;
        }
        env.sleep(Duration::from_hours(12)).await;
        let before = world.rows().await;
        retain(&world, 5).await;
        let kept = world.filter(|_| {}).await.events.expect("a list");
        assert_eq!(kept.len(), 8, "those of four days lie within five: {kept:?}");
        env.sleep(Duration::from_secs(1)).await;
        assert_eq!(world.rows().await, before - 2 * 2 * 6, "blocks and places of six days");
        let world = world.restarted().await;
        env.sleep(Duration::from_hours(24 * 6)).await;
        assert_eq!(world.filter(|_| {}).await.events, Some(Vec::new()));
        assert_eq!(world.rows().await, empty, "everything but the stream itself");
        let input = DeleteRetentionPolicyRequest { log_group_name: GROUP.into() };
        world.call::<DeleteRetentionPolicy>(input).await.expect("it was there");
        let now = world.now_ms();
        world.put("s", &[(now - 13 * DAY_MS, "old")]).await.expect("taken");
        assert_eq!(world.filter(|_| {}).await.events.expect("a list").len(), 1);
    });
}

#[test]
fn a_group_and_a_stream_leave_nothing_behind_and_come_back_empty() {
    run(2, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        let empty = world.rows().await;
        for name in ["a", "b"] {
            world.stream(name).await;
            for _ in 0..300 {
                let now = world.now_ms();
                world.put(name, &[(now, "x")]).await.expect("taken");
                env.sleep(Duration::from_millis(7)).await;
            }
        }
        let input = DeleteLogStreamRequest { log_group_name: GROUP.into(), log_stream_name: "a".into() };
        world.call::<DeleteLogStream>(input).await.expect("it was there");
        assert_eq!(world.filter(|_| {}).await.events.expect("a list").len(), 300, "those of b");
        world.stream("a").await;
        assert_eq!(world.get("a", |_| {}).await.events, Some(Vec::new()));
        let delete = || DeleteLogGroupRequest { log_group_name: GROUP.into() };
        world.call::<DeleteLogGroup>(delete()).await.expect("it was there");
        let again = world.call::<DeleteLogGroup>(delete()).await.expect_err("gone");
        assert_eq!(again.message(), "The specified log group does not exist.");
        world.group(GROUP).await;
        world.stream("b").await;
        assert_eq!(world.filter(|_| {}).await.events, Some(Vec::new()));
        env.sleep(Duration::from_mins(1)).await;
        world.call::<DeleteLogGroup>(delete()).await.expect("it was there");
        env.sleep(Duration::from_mins(1)).await;
        assert_eq!(world.rows().await, empty - 1);
    });
}

#[test]
fn streams_are_listed_by_name_and_by_their_last_event() {
    run(3, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        let start = world.now_ms();
        for (name, at) in [("c", Some(5)), ("a", Some(9)), ("b", None), ("d", Some(1)), ("a2", Some(5))] {
            world.stream(name).await;
            if let Some(at) = at {
                world.put(name, &[(start - at, "x")]).await.expect("taken");
            }
        }
        let list = async |order: OrderBy, descending, prefix: Option<&str>| {
            let (mut names, mut token) = (Vec::new(), None);
            loop {
                let input = DescribeLogStreamsRequest {
                    log_group_name: Some(GROUP.into()),
                    order_by: Some(order.clone()),
                    descending: Some(descending),
                    log_stream_name_prefix: prefix.map(Into::into),
                    next_token: token,
                    limit: Some(2),
                    ..DescribeLogStreamsRequest::default()
                };
                let page = world.call::<DescribeLogStreams>(input).await.expect("the group is there");
                let streams = page.log_streams.expect("a list");
                names.extend(streams.into_iter().filter_map(|stream| stream.log_stream_name));
                token = page.next_token;
                if token.is_none() {
                    return names.join(" ");
                }
            }
        };
        assert_eq!(list(OrderBy::LogStreamName, false, None).await, "a a2 b c d");
        assert_eq!(list(OrderBy::LogStreamName, true, None).await, "d c b a2 a");
        assert_eq!(list(OrderBy::LogStreamName, false, Some("a")).await, "a a2");
        assert_eq!(list(OrderBy::LogStreamName, true, Some("a")).await, "a2 a");
        assert_eq!(list(OrderBy::LastEventTime, true, None).await, "d c a2 a b");
        assert_eq!(list(OrderBy::LastEventTime, false, None).await, "b a a2 c d");
        world.put("b", &[(start, "newest")]).await.expect("taken");
        assert_eq!(list(OrderBy::LastEventTime, true, None).await, "b d c a2 a");
        env.sleep(Duration::from_secs(1)).await;
    });
}

#[test]
fn stored_bytes_are_what_is_kept() {
    run(4, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let now = world.now_ms();
        world.put("s", &[(now - 2 * DAY_MS, "12345"), (now - 2 * DAY_MS, "1")]).await.expect("taken");
        world.put("s", &[(now, "123")]).await.expect("taken");
        let bytes = async || {
            let groups = world.call::<DescribeLogGroups>(DescribeLogGroupsRequest::default()).await;
            groups.expect("a list").log_groups.expect("a list")[0].stored_bytes
        };
        assert_eq!(bytes().await, Some(3 * 26 + 9));
        retain(&world, 1).await;
        env.sleep(Duration::from_secs(1)).await;
        assert_eq!(bytes().await, Some(26 + 3));
    });
}

#[test]
fn a_subscribed_function_gets_what_its_filter_means_once_and_in_order() {
    run(5, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let function = "arn:aws:lambda:us-east-1:000000000000:function:reader";
        let input = PutSubscriptionFilterRequest {
            log_group_name: GROUP.into(),
            filter_name: "errors".into(),
            filter_pattern: "ERROR".into(),
            destination_arn: function.into(),
            ..PutSubscriptionFilterRequest::default()
        };
        world.call::<PutSubscriptionFilter>(input).await.expect("the function may be invoked");
        let now = world.now_ms();
        world.put("s", &[(now, "ERROR 1"), (now, "fine"), (now + 1, "ERROR 2")]).await.expect("taken");
        world.put("s", &[(now, "fine")]).await.expect("taken");
        world.put("s", &[(now + 2, "ERROR 3")]).await.expect("taken");
        env.sleep(Duration::from_secs(1)).await;
        let ids: Vec<_> = world
            .filter(|input| input.filter_pattern = Some("ERROR".into()))
            .await
            .events
            .expect("a list")
            .into_iter()
            .filter_map(|event| event.event_id)
            .collect();
        let invoked = world.invoked.lock().expect("no panic").clone();
        assert_eq!(invoked.len(), 2);
        let mut seen = Vec::new();
        for (name, payload) in invoked {
            assert_eq!(name, function);
            let event: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            let data = event["awslogs"]["data"].as_str().expect("a text");
            let packed = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
            let data: serde_json::Value =
                serde_json::from_reader(flate2::read::GzDecoder::new(packed.as_slice()))
                    .expect("gzip of JSON");
            assert_eq!(data["messageType"], "DATA_MESSAGE");
            assert_eq!(data["owner"], "000000000000");
            assert_eq!(data["logGroup"], GROUP);
            assert_eq!(data["logStream"], "s");
            assert_eq!(data["subscriptionFilters"], serde_json::json!(["errors"]));
            for event in data["logEvents"].as_array().expect("a list") {
                let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
                assert!(event["timestamp"].is_i64());
                seen.push((text("id"), text("message")));
            }
        }
        let expected: Vec<_> =
            ids.into_iter().zip(["ERROR 1", "ERROR 2", "ERROR 3"].map(String::from)).collect();
        assert_eq!(seen, expected);
    });
}
