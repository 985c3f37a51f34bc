//! Event source mappings: what arrives at a queue is handed to a function, and deleted when that went well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::queue::VISIBILITY;
use crate::world::{self, World, function};
use apus_compute::driver::fake::{FakeEnd, FakeReply};
use apus_compute::exchange::{Fault, Invocation};
use apus_env::Env;
use apus_env::sim::Rng;
use apus_model_lambda::{
    CreateEventSourceMapping, CreateEventSourceMappingRequest, CreateFunction, DeleteEventSourceMapping,
    DeleteEventSourceMappingRequest, DeleteFunction, DeleteFunctionRequest, EventSourceMappingConfiguration,
    Filter, FilterCriteria, FunctionResponseType, GetEventSourceMapping, GetEventSourceMappingRequest,
    ListEventSourceMappings, ListEventSourceMappingsRequest, ListTags, ListTagsRequest,
    PutFunctionConcurrency, PutFunctionConcurrencyRequest, ScalingConfig, TagResource, TagResourceRequest,
    UntagResource, UntagResourceRequest, UpdateEventSourceMapping, UpdateEventSourceMappingRequest,
};
use apus_schema::{Common, ServiceError};
use apus_time::Timestamp;
use serde_json::{Value, json};

/// One invocation: when it began, how long it took, and the bodies of its records.
#[derive(Clone, Debug)]
struct Call {
    at: Timestamp,
    took: Duration,
    bodies: Vec<String>,
    end: Reply,
}

#[derive(Clone, Debug)]
enum Reply {
    Well,
    Raises,
    /// Reports these bodies' records as failed.
    Reports(Vec<String>),
}

/// What a function saw, and what it is to do.
#[derive(Clone, Default)]
struct Seen {
    env: Arc<OnceLock<Env>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Seen {
    fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic").clone()
    }

    fn bodies(&self) -> Vec<Vec<String>> {
        self.calls().into_iter().map(|call| call.bodies).collect()
    }

    fn answer(&self, invocation: &Invocation, what: impl Fn(&[String]) -> (Reply, Duration)) -> FakeReply {
        let event: Value = serde_json::from_slice(&invocation.payload).expect("an event");
        let records = event["Records"].as_array().expect("records").clone();
        let text = |record: &Value, member: &str| record[member].as_str().expect("a text").to_owned();
        let bodies: Vec<_> = records.iter().map(|record| text(record, "body")).collect();
        let (end, took) = what(&bodies);
        let at = self.env.get().expect("the story set it").now();
        self.calls.lock().expect("no panic").push(Call { at, took, bodies, end: end.clone() });
        let end = match end {
            Reply::Well => FakeEnd::Response("null".into()),
            Reply::Raises => FakeEnd::Fault(Fault { error_type: None, body: "{}".into() }),
            Reply::Reports(failed) => {
                let failed: Vec<_> = records
                    .iter()
                    .filter(|record| failed.contains(&text(record, "body")))
                    .map(|record| json!({"itemIdentifier": record["messageId"]}))
                    .collect();
                FakeEnd::Response(json!({ "batchItemFailures": failed }).to_string().into())
            }
        };
        FakeReply { after: took, output: String::new(), end }
    }
}

/// Runs a story in which functions do as `what` says with the bodies that they are given.
fn story(
    test: &str,
    what: impl Fn(&[String]) -> (Reply, Duration) + Send + Sync + 'static,
    story: impl AsyncFnOnce(&World, &Seen),
) {
    let seen = Seen::default();
    let inner = seen.clone();
    world::world(
        &format!("mapping-{test}"),
        move |_, invocation| inner.answer(invocation, &what),
        async |world| {
            assert!(seen.env.set(world.env.clone()).is_ok(), "once");
            world.call::<CreateFunction>(function("hello")).await.expect("made");
            story(world, &seen).await;
        },
    );
}

fn well(_: &[String]) -> (Reply, Duration) {
    (Reply::Well, Duration::from_millis(20))
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

fn request(queue: &str) -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        event_source_arn: Some(arn(queue)),
        function_name: "hello".into(),
        ..CreateEventSourceMappingRequest::default()
    }
}

async fn get(world: &World, uuid: &str) -> Result<EventSourceMappingConfiguration, ServiceError> {
    world.call::<GetEventSourceMapping>(GetEventSourceMappingRequest { uuid: uuid.into() }).await
}

/// Waits until a change has taken effect: the state then, and `Gone` if there is no mapping any more.
async fn settled(world: &World, uuid: &str) -> String {
    loop {
        match get(world, uuid).await {
            Ok(found) => match found.state.as_deref().expect("a state") {
                state @ ("Enabled" | "Disabled") => return state.to_owned(),
                _ => world.env.sleep(Duration::from_millis(1)).await,
            },
            Err(error) if error.name() == "ResourceNotFoundException" => return "Gone".into(),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn create(world: &World, request: CreateEventSourceMappingRequest) -> String {
    let made = world.call::<CreateEventSourceMapping>(request).await.expect("it may be");
    assert_eq!(made.state.as_deref(), Some("Creating"));
    let uuid = made.uuid.expect("a UUID");
    settled(world, &uuid).await;
    uuid
}

async fn update(world: &World, request: UpdateEventSourceMappingRequest) -> String {
    let uuid = request.uuid.clone();
    world.call::<UpdateEventSourceMapping>(request).await.expect("it may be");
    settled(world, &uuid).await
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn what_arrives_is_handled_and_deleted_and_idling_costs_a_poll_in_twenty_seconds() {
    story("handled", well, async |world, seen| {
        world.queues.send("jobs", None, "before");
        create(world, request("jobs")).await;
        world.env.sleep(secs(60)).await;
        let sent = world.env.now();
        world.queues.send("jobs", None, "after");
        world.env.sleep(secs(1)).await;
        assert_eq!(seen.bodies(), [["before"], ["after"]]);
        assert_eq!(seen.calls()[1].at, sent, "at once: the environment is warm");
        assert_eq!(world.queues.left(), []);
        let before = world.queues.receives();
        world.env.sleep(Duration::from_hours(1)).await;
        assert_eq!(world.queues.receives() - before, 180);
    });
}

#[test]
fn what_fails_comes_again_after_its_visibility_timeout() {
    let fails = |bodies: &[String]| match bodies {
        [only] if only == "bad" => (Reply::Raises, Duration::ZERO),
        _ => well(bodies),
    };
    story("failing", fails, async |world, seen| {
        let uuid = create(world, request("jobs")).await;
        world.queues.send("jobs", None, "bad");
        world.env.sleep(secs(70)).await;
        assert_eq!(world.queues.left(), [("bad".to_owned(), 3)]);
        let starts: Vec<_> = seen.calls().iter().map(|call| call.at).collect();
        // The first waited for its environment.
        let waited = |pair: &[Timestamp]| pair[1].since(pair[0]) + secs(1) >= VISIBILITY;
        assert!(starts.windows(2).all(waited), "{starts:?}");
        let found = get(world, &uuid).await.expect("it is there");
        assert_eq!(found.last_processing_result.as_deref(), Some("PROBLEM: Function call failed"));
        world.queues.send("jobs", None, "good");
        world.env.sleep(secs(1)).await;
        let found = get(world, &uuid).await.expect("it is there");
        assert_eq!(found.last_processing_result.as_deref(), Some("OK"));
    });
}

#[test]
fn only_what_was_reported_comes_again() {
    let reports = |_: &[String]| (Reply::Reports(vec!["b".into(), "d".into()]), Duration::ZERO);
    story("partial", reports, async |world, seen| {
        let window = Some(2);
        let types = Some(vec![FunctionResponseType::ReportBatchItemFailures]);
        create(
            world,
            CreateEventSourceMappingRequest {
                maximum_batching_window_in_seconds: window,
                function_response_types: types,
                ..request("jobs")
            },
        )
        .await;
        for body in ["a", "b", "c", "d"] {
            world.queues.send("jobs", None, body);
            world.env.sleep(Duration::from_millis(100)).await;
        }
        world.env.sleep(secs(5)).await;
        assert_eq!(seen.bodies(), [["a", "b", "c", "d"]], "the window gathered them");
        assert_eq!(world.queues.left(), [("b".to_owned(), 1), ("d".to_owned(), 1)]);
        world.env.sleep(VISIBILITY).await;
        assert_eq!(seen.bodies()[1], ["b", "d"]);
    });
    // Unless the mapping listens, whatever is answered is success.
    story("deaf", reports, async |world, _| {
        create(world, request("jobs")).await;
        world.queues.send("jobs", None, "b");
        world.env.sleep(secs(1)).await;
        assert_eq!(world.queues.left(), []);
    });
}

#[test]
fn what_filters_leave_out_is_deleted_and_never_handled() {
    story("filtered", well, async |world, seen| {
        let pattern = |text: &str| Filter { pattern: Some(text.to_owned()) };
        let filters = vec![
            pattern(r#"{"body": {"kind": ["order"], "size": [{"numeric": [">", 3]}]}}"#),
            pattern(r#"{"body": ["plain"]}"#),
        ];
        let filter_criteria = Some(FilterCriteria { filters: Some(filters) });
        create(world, CreateEventSourceMappingRequest { filter_criteria, ..request("jobs") }).await;
        let good = r#"{"kind": "order", "size": 4}"#;
        for body in [r#"{"kind": "order", "size": 3}"#, good, "order", r#"{"kind": "offer"}"#, "plain", "{"] {
            world.queues.send("jobs", None, body);
        }
        world.env.sleep(secs(1)).await;
        let mut handled: Vec<_> = seen.bodies().concat();
        handled.sort();
        assert_eq!(handled, ["plain", good]);
        assert_eq!(world.queues.left(), []);
    });
}

#[test]
fn it_is_disabled_enabled_changed_and_deleted_while_it_runs() {
    let slow = |_: &[String]| (Reply::Well, Duration::from_secs(2));
    story("changes", slow, async |world, seen| {
        let uuid = create(world, request("jobs")).await;
        let change = || UpdateEventSourceMappingRequest { uuid: uuid.clone(), ..Default::default() };
        world.queues.send("jobs", None, "1");
        world.env.sleep(secs(1)).await;
        // In the middle of an invocation, which ends as it would have.
        let disable = UpdateEventSourceMappingRequest { enabled: Some(false), ..change() };
        assert_eq!(update(world, disable).await, "Disabled");
        world.env.sleep(secs(10)).await;
        assert_eq!(world.queues.left(), []);
        let polls = world.queues.receives();
        for number in 2..8 {
            world.queues.send("jobs", None, number.to_string());
        }
        world.env.sleep(secs(100)).await;
        assert_eq!((seen.calls().len(), world.queues.receives()), (1, polls), "nothing is polled");
        assert_eq!(world.queues.left().iter().map(|(_, receives)| receives).sum::<u32>(), 0);

        let enable = UpdateEventSourceMappingRequest { enabled: Some(true), batch_size: Some(4), ..change() };
        assert_eq!(update(world, enable).await, "Enabled");
        world.env.sleep(secs(10)).await;
        assert_eq!(seen.bodies()[1..], [vec!["2", "3", "4", "5"], vec!["6", "7"]]);

        // A change of bounds while a window is open.
        let wider = UpdateEventSourceMappingRequest {
            batch_size: Some(100),
            maximum_batching_window_in_seconds: Some(60),
            ..change()
        };
        assert_eq!(update(world, wider).await, "Enabled");
        for number in 8..11 {
            world.queues.send("jobs", None, number.to_string());
            world.env.sleep(secs(1)).await;
        }
        assert_eq!(seen.calls().len(), 3);
        let narrow = UpdateEventSourceMappingRequest {
            batch_size: Some(2),
            maximum_batching_window_in_seconds: Some(0),
            ..change()
        };
        assert_eq!(update(world, narrow).await, "Enabled");
        world.env.sleep(secs(5)).await;
        let last: BTreeSet<_> = seen.bodies().split_off(3).into_iter().collect();
        assert_eq!(last, BTreeSet::from([vec!["10".to_owned()], vec!["8".to_owned(), "9".to_owned()]]));

        let deleted = DeleteEventSourceMappingRequest { uuid: uuid.clone() };
        let deleted = world.call::<DeleteEventSourceMapping>(deleted).await.expect("it goes");
        assert_eq!(deleted.state.as_deref(), Some("Deleting"));
        assert_eq!(settled(world, &uuid).await, "Gone");
        world.queues.send("jobs", None, "late");
        world.env.sleep(secs(100)).await;
        assert_eq!(world.queues.left(), [("late".to_owned(), 0)]);
        // And the same again, under another UUID.
        assert_ne!(create(world, request("jobs")).await, uuid);
        world.env.sleep(secs(5)).await;
        assert_eq!(world.queues.left(), []);
    });
}

/// The most invocations that were under way at once.
fn most_at_once(calls: &[Call]) -> usize {
    let under_way =
        |at: Timestamp| calls.iter().filter(|call| call.at <= at && at < call.at + call.took).count();
    calls.iter().map(|call| under_way(call.at)).max().unwrap_or_default()
}

#[test]
fn no_more_than_the_maximum_at_once() {
    let slow = |_: &[String]| (Reply::Well, Duration::from_millis(500));
    story("concurrency", slow, async |world, seen| {
        for number in 0..40 {
            world.queues.send("jobs", None, number.to_string());
        }
        let scaling_config = Some(ScalingConfig { maximum_concurrency: Some(2) });
        create(
            world,
            CreateEventSourceMappingRequest { scaling_config, batch_size: Some(1), ..request("jobs") },
        )
        .await;
        world.env.sleep(secs(20)).await;
        assert_eq!((seen.calls().len(), most_at_once(&seen.calls())), (40, 2));
        assert_eq!(world.queues.left(), []);
    });
}

#[test]
fn a_throttled_batch_waits_and_is_not_received_again() {
    let slow = |_: &[String]| (Reply::Well, Duration::from_millis(300));
    story("throttled", slow, async |world, seen| {
        let reserve = PutFunctionConcurrencyRequest {
            function_name: "hello".into(),
            reserved_concurrent_executions: 1,
        };
        world.call::<PutFunctionConcurrency>(reserve).await.expect("reserved");
        for number in 0..20 {
            world.queues.send("jobs", None, number.to_string());
        }
        create(world, CreateEventSourceMappingRequest { batch_size: Some(1), ..request("jobs") }).await;
        while !world.queues.left().is_empty() {
            assert!(world.queues.left().iter().all(|(_, receives)| *receives <= 1), "received again");
            world.env.sleep(Duration::from_millis(100)).await;
        }
        assert_eq!((seen.calls().len(), most_at_once(&seen.calls())), (20, 1));
    });
}

#[test]
fn a_source_or_a_function_that_is_not_there_is_told_and_waited_for() {
    story("absent", well, async |world, seen| {
        let denied = || {
            let message = "User: x is not authorized to perform: sqs:ReceiveMessage on resource: y";
            ServiceError::common(Common::AccessDenied, message)
        };
        let uuid = create(world, request("jobs")).await;
        // The poll under way ends, and the next ones are refused.
        (0..3).for_each(|_| world.queues.refuse(denied()));
        world.env.sleep(secs(21)).await;
        let found = get(world, &uuid).await.expect("it is there");
        let expected =
            "PROBLEM: The provided execution role does not have permissions to call ReceiveMessage on SQS";
        assert_eq!(found.last_processing_result.as_deref(), Some(expected));
        assert_eq!(found.state.as_deref(), Some("Enabled"));
        world.queues.send("jobs", None, "1");
        world.env.sleep(secs(8)).await;
        assert_eq!(seen.bodies(), [["1"]]);

        let gone = DeleteFunctionRequest { function_name: "hello".into(), qualifier: None };
        world.call::<DeleteFunction>(gone).await.expect("deleted");
        world.env.sleep(secs(60)).await;
        let polls = world.queues.receives();
        world.queues.send("jobs", None, "2");
        world.env.sleep(secs(60)).await;
        assert_eq!((world.queues.receives(), world.queues.left()), (polls, vec![("2".to_owned(), 0)]));
        let found = get(world, &uuid).await.expect("it is there");
        let problem = found.last_processing_result.unwrap_or_default();
        assert!(problem.starts_with("PROBLEM: Function not found: "), "{problem}");
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        world.env.sleep(secs(31)).await;
        assert_eq!(seen.bodies(), [["1"], ["2"]]);
    });
}

#[test]
fn a_mapping_is_shown_listed_and_tagged() {
    story("shown", well, async |world, _| {
        let tags = Some(BTreeMap::from([("team".to_owned(), "a".to_owned())]));
        let first =
            create(world, CreateEventSourceMappingRequest { tags, enabled: Some(false), ..request("jobs") })
                .await;
        let second = create(world, request("more")).await;
        let found = get(world, &first).await.expect("it is there");
        let mapping_arn = format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{first}");
        let expected = EventSourceMappingConfiguration {
            uuid: Some(first.clone()),
            batch_size: Some(10),
            maximum_batching_window_in_seconds: Some(0),
            event_source_arn: Some(arn("jobs")),
            function_arn: Some("arn:aws:lambda:us-east-1:000000000000:function:hello".into()),
            last_modified: found.last_modified,
            state: Some("Disabled".into()),
            state_transition_reason: Some("USER_INITIATED".into()),
            function_response_types: Some(Vec::new()),
            event_source_mapping_arn: Some(mapping_arn.clone()),
            ..EventSourceMappingConfiguration::default()
        };
        assert_eq!(found, expected);

        let list = async |input: ListEventSourceMappingsRequest| {
            let listed = world.call::<ListEventSourceMappings>(input).await.expect("listed");
            let uuids =
                listed.event_source_mappings.unwrap_or_default().into_iter().filter_map(|one| one.uuid);
            (uuids.collect::<BTreeSet<_>>(), listed.next_marker)
        };
        let all = BTreeSet::from([first.clone(), second.clone()]);
        let base = ListEventSourceMappingsRequest::default;
        let hello = Some("hello".to_owned());
        assert_eq!(list(base()).await, (all.clone(), None));
        assert_eq!(list(ListEventSourceMappingsRequest { function_name: hello, ..base() }).await.0, all);
        let of_source = ListEventSourceMappingsRequest { event_source_arn: Some(arn("more")), ..base() };
        assert_eq!(list(of_source).await.0, BTreeSet::from([second]));
        let (mut paged, mut marker) = (BTreeSet::new(), None);
        loop {
            let page = list(ListEventSourceMappingsRequest { max_items: Some(1), marker, ..base() }).await;
            assert_eq!(page.0.len(), 1);
            paged.extend(page.0);
            marker = page.1;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(paged, all);

        let tags = async || {
            let listed = world.call::<ListTags>(ListTagsRequest { resource: mapping_arn.clone() }).await;
            listed.expect("listed").tags.unwrap_or_default().into_iter().collect::<Vec<_>>()
        };
        let more = BTreeMap::from([("stage".to_owned(), "b".to_owned())]);
        let tag = TagResourceRequest { resource: mapping_arn.clone(), tags: more };
        world.call::<TagResource>(tag).await.expect("tagged");
        let untag = UntagResourceRequest { resource: mapping_arn.clone(), tag_keys: vec!["team".into()] };
        world.call::<UntagResource>(untag).await.expect("untagged");
        assert_eq!(tags().await, [("stage".to_owned(), "b".to_owned())]);
        assert_eq!(get(world, &first).await.expect("there").state.as_deref(), Some("Disabled"));
    });
}

#[test]
fn mappings_that_cannot_be_are_refused() {
    story("refused", well, async |world, _| {
        let uuid = create(world, request("jobs")).await;
        let with = |change: &dyn Fn(&mut CreateEventSourceMappingRequest)| {
            let mut input = request("other");
            change(&mut input);
            input
        };
        let kinesis = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
        let invalid = "InvalidParameterValueException";
        for (input, name, message) in [
            (
                request("jobs"),
                "ResourceConflictException",
                format!(
                    "An event source mapping with SQS arn (\" {} \") and function (\" hello \") already exists. Please update \
                     or delete the existing mapping with UUID {uuid}",
                    arn("jobs")
                ),
            ),
            (
                with(&|input| input.function_name = "absent".into()),
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:absent".into(),
            ),
            (
                request("absent"),
                invalid,
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
                 Message: The specified queue does not exist."
                    .into(),
            ),
            (with(&|input| input.event_source_arn = None), invalid, "Unrecognized event source.".into()),
            (
                with(&|input| input.event_source_arn = Some(arn("jobs").replace("us-east-1", "eu-west-1"))),
                invalid,
                "The event source arn:aws:sqs:eu-west-1:000000000000:jobs is not in the function's region (us-east-1)."
                    .into(),
            ),
            (
                with(&|input| input.event_source_arn = Some(kinesis.into())),
                "NotSupported",
                "Apus does not support event source mappings of Kinesis of Lambda yet.".into(),
            ),
            (
                with(&|input| input.parallelization_factor = Some(2)),
                invalid,
                "Unsupported ParallelizationFactor parameter for given event source mapping type.".into(),
            ),
            (
                with(&|input| input.kms_key_arn = Some("arn:aws:kms:us-east-1:000000000000:key/a".into())),
                "NotSupported",
                "Apus does not support KMSKeyArn of event source mappings of Lambda yet.".into(),
            ),
            (
                with(&|input| {
                    let filter = Filter { pattern: Some("{\"body\": 1}".into()) };
                    input.filter_criteria = Some(FilterCriteria { filters: Some(vec![filter]) });
                }),
                invalid,
                "Invalid filter pattern definition. ".into(),
            ),
        ] {
            let refused = world.refused::<CreateEventSourceMapping>(input).await;
            assert_eq!(refused.0, name, "{}", refused.1);
            assert!(refused.1.starts_with(&message), "{}", refused.1);
        }
        let slow = apus_model_lambda::CreateFunctionRequest { timeout: Some(31), ..function("slow") };
        world.call::<CreateFunction>(slow).await.expect("made");
        let refused = world
            .refused::<CreateEventSourceMapping>(with(&|input| input.function_name = "slow".into()))
            .await;
        let message = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds";
        assert_eq!(refused, (invalid.to_owned(), message.to_owned()));

        let missing =
            ("ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned());
        let absent = || "00000000-0000-4000-8000-000000000000".to_owned();
        let get = GetEventSourceMappingRequest { uuid: absent() };
        assert_eq!(world.refused::<GetEventSourceMapping>(get).await, missing);
        let delete = DeleteEventSourceMappingRequest { uuid: absent() };
        assert_eq!(world.refused::<DeleteEventSourceMapping>(delete).await, missing);
        let change = || UpdateEventSourceMappingRequest { uuid: absent(), ..Default::default() };
        assert_eq!(world.refused::<UpdateEventSourceMapping>(change()).await, missing);
        let invalid_change =
            UpdateEventSourceMappingRequest { uuid: uuid.clone(), batch_size: Some(11), ..change() };
        assert_eq!(world.refused::<UpdateEventSourceMapping>(invalid_change).await.0, invalid);
        // Two changes at once: the second comes while the first has not taken effect.
        let update = UpdateEventSourceMappingRequest { uuid: uuid.clone(), batch_size: Some(5), ..change() };
        let delete = DeleteEventSourceMappingRequest { uuid };
        let (first, second) = futures_util::join!(
            world.call::<UpdateEventSourceMapping>(update),
            world.call::<DeleteEventSourceMapping>(delete)
        );
        let refused = first.map(drop).and(second.map(drop)).expect_err("one of them");
        assert_eq!(refused.name(), "ResourceInUseException");
    });
}

/// Chance decides what arrives, what fails, how long it takes and how the mapping is changed meanwhile.
fn hold_to_the_model(seed: u64) {
    let mut dice = Rng::new(seed);
    let is_fifo = dice.chance(1, 2);
    let queue = if is_fifo { "jobs.fifo" } else { "jobs" };
    let (groups, bound, size) = (1 + dice.below(4), 2 + dice.below(3) as usize, 1 + dice.below(10) as i32);
    let behaviour = Mutex::new(dice.fork());
    let chaotic = move |bodies: &[String]| {
        let mut dice = behaviour.lock().expect("no panic");
        let took = Duration::from_millis(dice.below(2_500));
        let end = match dice.below(10) {
            0 => Reply::Raises,
            1..3 if is_fifo => {
                // As the guide says: a function stops at the first failure.
                Reply::Reports(bodies[dice.below(bodies.len() as u64) as usize..].to_vec())
            }
            1..3 => Reply::Reports(bodies.iter().filter(|_| dice.chance(1, 2)).cloned().collect()),
            _ => Reply::Well,
        };
        (end, took)
    };
    story(&format!("model-{seed}"), chaotic, async |world, seen| {
        let uuid = create(
            world,
            CreateEventSourceMappingRequest {
                batch_size: Some(size),
                scaling_config: Some(ScalingConfig { maximum_concurrency: Some(bound as i32) }),
                function_response_types: Some(vec![FunctionResponseType::ReportBatchItemFailures]),
                ..request(queue)
            },
        )
        .await;
        let mut sent = Vec::new();
        for number in 0..60 {
            let group = format!("g{}", dice.below(groups));
            let body = format!("{group} {number:03}");
            sent.push(body.clone());
            world.queues.send(queue, is_fifo.then_some(group.as_str()), body);
            if dice.chance(1, 3) {
                world.env.sleep(Duration::from_millis(dice.below(3_000))).await;
            }
            if dice.chance(1, 15) {
                let change = UpdateEventSourceMappingRequest {
                    uuid: uuid.clone(),
                    enabled: Some(dice.chance(1, 2)),
                    ..Default::default()
                };
                update(world, change).await;
            }
        }
        let enable =
            UpdateEventSourceMappingRequest { uuid: uuid.clone(), enabled: Some(true), ..Default::default() };
        assert_eq!(update(world, enable).await, "Enabled");
        while !world.queues.left().is_empty() {
            world.env.sleep(secs(10)).await;
            assert!(
                world.env.monotonic() < Duration::from_hours(24),
                "seed {seed}: {:?} are never done",
                world.queues.left()
            );
        }
        let calls = seen.calls();
        let done = |call: &Call, body: &String| match &call.end {
            Reply::Well => true,
            Reply::Raises => false,
            Reply::Reports(failed) => !failed.contains(body),
        };
        for body in &sent {
            let of_body: Vec<_> = calls.iter().filter(|call| call.bodies.contains(body)).collect();
            let times = of_body.iter().filter(|call| done(call, body)).count();
            assert_eq!(times, 1, "seed {seed}: {body} was done {times} times of {}", of_body.len());
            assert!(
                of_body.last().is_some_and(|call| done(call, body)),
                "seed {seed}: {body} was deleted, not done"
            );
        }
        assert!(most_at_once(&calls) <= bound, "seed {seed}");
        if is_fifo {
            for group in 0..groups {
                // What is done of a group is done in its order.
                let mut order = Vec::new();
                for call in &calls {
                    let own = call.bodies.iter().filter(|body| body.starts_with(&format!("g{group} ")));
                    order.extend(own.filter(|body| done(call, body)).cloned());
                }
                assert!(order.is_sorted(), "seed {seed}: {order:?}");
            }
        }
    });
}

#[test]
fn whatever_happens_every_message_is_done_once_within_bounds_and_in_order() {
    for seed in 0..40 {
        hold_to_the_model(seed);
    }
}
