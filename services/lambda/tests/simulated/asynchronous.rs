//! Events: accepted once they are kept, tried as AWS tries them, and ended once.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::world::{self, World, function};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::{FakeEnd, FakeReply};
use apus_compute::exchange::{Fault, Invocation};
use apus_env::Env;
use apus_env::sim::Rng;
use apus_model_lambda::{
    CreateAlias, CreateAliasRequest, CreateFunction, DeleteFunction, DeleteFunctionConcurrency,
    DeleteFunctionConcurrencyRequest, DeleteFunctionRequest, InvocationRequest, InvocationResponse,
    InvocationType, Invoke, InvokeAsync, InvokeAsyncRequest, PublishVersion, PublishVersionRequest,
    PutFunctionConcurrency, PutFunctionConcurrencyRequest, PutFunctionEventInvokeConfig,
    PutFunctionEventInvokeConfigRequest, UpdateAlias, UpdateAliasRequest,
};
use apus_schema::{Body, ServiceError};
use apus_store::{Direction, Keyspace, StoreError};

/// One run of a function: when, in milliseconds of the story, for which request, which version, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) at_ms: u64,
    pub(crate) request_id: String,
    pub(crate) version: String,
    pub(crate) event: String,
}

/// The runs of all functions.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    env: Arc<OnceLock<(Env, Duration)>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Runs {
    fn begin(&self, env: &Env) {
        assert!(self.env.set((env.clone(), env.monotonic())).is_ok(), "a story begins once");
    }

    fn note(&self, sandbox: &SandboxSpec, invocation: &Invocation) -> usize {
        let variable = |name: &str| sandbox.variables.iter().find(|(own, _)| own == name);
        let (env, since) = self.env.get().expect("the story has begun");
        let event = String::from_utf8_lossy(&invocation.payload).into_owned();
        let mut all = self.seen.lock().expect("no panic");
        let before = all.iter().filter(|seen| seen.request_id == invocation.request_id).count();
        all.push(Seen {
            at_ms: env.monotonic().saturating_sub(*since).as_millis() as u64,
            request_id: invocation.request_id.clone(),
            version: variable("AWS_LAMBDA_FUNCTION_VERSION")
                .map(|(_, value)| value.clone())
                .unwrap_or_default(),
            event,
        });
        before
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// When events of that text were tried.
    pub(crate) fn times(&self, event: &str) -> Vec<u64> {
        self.all().iter().filter(|seen| seen.event == event).map(|seen| seen.at_ms).collect()
    }
}

fn failure() -> FakeReply {
    FakeReply {
        end: FakeEnd::Fault(Fault {
            error_type: Some("ValueError".into()),
            body: r#"{"errorMessage":"no","errorType":"ValueError"}"#.into(),
        }),
        ..FakeReply::response("")
    }
}

/// Functions fail as often as the event says: `2` fails twice, however many spaces follow. `"slow"` takes a minute.
fn obey(runs: &Runs) -> impl Fn(&SandboxSpec, &Invocation) -> FakeReply + Send + Sync + 'static {
    let runs = runs.clone();
    move |sandbox, invocation| {
        let before = runs.note(sandbox, invocation);
        let event = String::from_utf8_lossy(&invocation.payload).into_owned();
        match event.trim_end_matches(' ').parse::<usize>() {
            Ok(failures) if before < failures => failure(),
            _ if event == "\"slow\"" => {
                FakeReply { after: Duration::from_mins(1), ..FakeReply::response("\"at last\"") }
            }
            _ => FakeReply::response("\"done\""),
        }
    }
}

/// Runs a story, with a function `hello`.
pub(crate) fn story(test: &str, story: impl AsyncFnOnce(&World, &Runs)) {
    story_as(test, world::Denied::default(), story);
}

/// The same, where roles are denied some actions.
pub(crate) fn story_as(test: &str, denied: world::Denied, story: impl AsyncFnOnce(&World, &Runs)) {
    let runs = Runs::default();
    world::world_with(&format!("async-{test}"), denied, obey(&runs), async |world| {
        runs.begin(&world.env);
        let mut hello = function("hello");
        hello.timeout = Some(900);
        world.call::<CreateFunction>(hello).await.expect("made");
        story(world, &runs).await;
    });
}

pub(crate) async fn send(world: &World, name: &str, event: &str) -> Result<InvocationResponse, ServiceError> {
    let input = InvocationRequest {
        function_name: name.into(),
        invocation_type: Some(InvocationType::Event),
        payload: Some(event.to_owned().into()),
        ..InvocationRequest::default()
    };
    world.call::<Invoke>(input).await
}

/// How many events have not ended.
pub(crate) async fn open(world: &World) -> usize {
    let count = async |kind: &str| {
        let range = Keyspace::new("000000000000", "us-east-1", "lambda").sub((kind,)).range(());
        let read = world.store.read(|tx| async move {
            Ok::<_, StoreError>(tx.range(&range, usize::MAX, Direction::Forward).await?.len())
        });
        read.await.expect("read")
    };
    assert!(count("event-progress").await <= count("event").await, "progress of an event that has ended");
    count("event").await
}

async fn configure(world: &World, retries: Option<i32>, age: Option<i32>) {
    let input = PutFunctionEventInvokeConfigRequest {
        function_name: "hello".into(),
        maximum_retry_attempts: retries,
        maximum_event_age_in_seconds: age,
        ..PutFunctionEventInvokeConfigRequest::default()
    };
    world.call::<PutFunctionEventInvokeConfig>(input).await.expect("configured");
}

async fn reserve(world: &World, count: i32) {
    let input = PutFunctionConcurrencyRequest {
        function_name: "hello".into(),
        reserved_concurrent_executions: count,
    };
    world.call::<PutFunctionConcurrency>(input).await.expect("reserved");
}

#[test]
fn an_event_is_accepted_without_an_answer_and_runs_once() {
    story("accepted", async |world, runs| {
        let answer = send(world, "hello", "0").await.expect("accepted");
        assert_eq!(answer, InvocationResponse { status_code: Some(202), ..InvocationResponse::default() });
        assert_eq!(open(world).await, 1);
        let older =
            InvokeAsyncRequest { function_name: "hello".into(), invoke_args: Body::full(&b"\"older\""[..]) };
        assert_eq!(world.call::<InvokeAsync>(older).await.expect("accepted").status, Some(202));
        world.env.sleep(Duration::from_hours(1)).await;
        assert_eq!((runs.times("0").len(), runs.times("\"older\"").len()), (1, 1));
        assert_eq!(open(world).await, 0);
    });
}

#[test]
fn a_function_that_fails_is_tried_again_after_one_minute_and_two_more() {
    story("retries", async |world, runs| {
        send(world, "hello", "3").await.expect("accepted");
        world.env.sleep(Duration::from_hours(1)).await;
        // The first try waits for an environment.
        assert_eq!(runs.times("3"), [100, 60_100, 180_100]);
        let ids: Vec<_> = runs.all().into_iter().map(|seen| seen.request_id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "one request: {ids:?}");
        assert_eq!(open(world).await, 0);
        send(world, "hello", "1").await.expect("accepted");
        world.env.sleep(Duration::from_hours(1)).await;
        assert_eq!(runs.times("1").len(), 2);
    });
}

#[test]
fn retries_and_age_are_what_is_configured_at_the_time() {
    story("configured", async |world, runs| {
        configure(world, Some(0), None).await;
        send(world, "hello", "11").await.expect("accepted");
        configure(world, None, Some(180)).await;
        send(world, "hello", "12").await.expect("accepted");
        world.env.sleep(Duration::from_secs(61)).await;
        assert_eq!(runs.times("11").len() + runs.times("12").len(), 4, "neither was tried under the first");
        // Less now: the events that wait hear of it when it is their turn.
        configure(world, Some(1), None).await;
        world.env.sleep(Duration::from_hours(1)).await;
        assert_eq!((runs.times("11").len(), runs.times("12").len()), (3, 3));
        configure(world, Some(2), Some(60)).await;
        send(world, "hello", "13").await.expect("accepted");
        world.env.sleep(Duration::from_secs(59)).await;
        assert_eq!(open(world).await, 1);
        world.env.sleep(Duration::from_secs(2)).await;
        assert_eq!((open(world).await, runs.times("13").len()), (0, 1));
    });
}

#[test]
fn a_slow_event_holds_up_no_other() {
    story("slow", async |world, runs| {
        send(world, "hello", "\"slow\"").await.expect("accepted");
        for _ in 0..3 {
            send(world, "hello", "0").await.expect("accepted");
        }
        // More than may wait for an environment here come a second later.
        world.env.sleep(Duration::from_secs(3)).await;
        assert_eq!((runs.times("0").len(), open(world).await), (3, 1));
    });
}

#[test]
fn a_throttled_event_waits_ever_longer_until_there_is_room() {
    story("throttled", async |world, runs| {
        reserve(world, 1).await;
        send(world, "hello", "\"slow\"").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(Duration::from_secs(58)).await;
        assert_eq!(runs.times("0"), [] as [u64; 0]);
        // Tried at 1, 2, 4, 8, 16, 32 and 64 seconds; there is room from 60.1 on.
        world.env.sleep(Duration::from_mins(1)).await;
        assert_eq!(runs.times("0"), [64_000]);
        assert_eq!(open(world).await, 0);
    });
}

#[test]
fn a_function_for_which_nothing_is_reserved_gets_no_retries() {
    story("shut", async |world, runs| {
        reserve(world, 0).await;
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(open(world).await, 0);
        let input = DeleteFunctionConcurrencyRequest { function_name: "hello".into() };
        world.call::<DeleteFunctionConcurrency>(input).await.expect("deleted");
        world.env.sleep(Duration::from_hours(7)).await;
        assert_eq!(runs.all(), []);
    });
}

#[test]
fn an_event_that_is_throttled_for_too_long_ends_when_it_is_too_old() {
    story("age", async |world, runs| {
        reserve(world, 1).await;
        configure(world, None, Some(60)).await;
        send(world, "hello", "\"slow\"").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        for _ in 0..20 {
            send(world, "hello", "0").await.expect("accepted");
        }
        world.env.sleep(Duration::from_secs(59)).await;
        assert_eq!(open(world).await, 21);
        world.env.sleep(Duration::from_secs(2)).await;
        assert_eq!((open(world).await, runs.times("0").len()), (0, 0));
    });
}

#[test]
fn an_alias_leads_to_its_version_of_the_moment() {
    story("alias", async |world, runs| {
        let publish = || PublishVersionRequest { function_name: "hello".into(), ..Default::default() };
        world.call::<PublishVersion>(publish()).await.expect("published");
        let alias = CreateAliasRequest {
            function_name: "hello".into(),
            name: "live".into(),
            function_version: "1".into(),
            ..CreateAliasRequest::default()
        };
        world.call::<CreateAlias>(alias).await.expect("made");
        send(world, "hello:live", "1").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        let update = UpdateAliasRequest {
            function_name: "hello".into(),
            name: "live".into(),
            function_version: Some("$LATEST".into()),
            ..UpdateAliasRequest::default()
        };
        world.call::<UpdateAlias>(update).await.expect("updated");
        world.env.sleep(Duration::from_mins(2)).await;
        let versions: Vec<_> = runs.all().into_iter().map(|seen| seen.version).collect();
        assert_eq!(versions, ["1", "$LATEST"]);
    });
}

#[test]
fn events_of_a_function_that_is_deleted_go_with_it() {
    story("deleted", async |world, runs| {
        send(world, "hello", "9").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        let input = DeleteFunctionRequest { function_name: "hello".into(), qualifier: None };
        world.call::<DeleteFunction>(input).await.expect("deleted");
        assert!(send(world, "hello", "0").await.is_err());
        world.env.sleep(Duration::from_mins(2)).await;
        assert_eq!((open(world).await, runs.all().len()), (0, 1));
    });
}

/// Whatever the functions do and however full it is: each event that was accepted has one end, after exactly the tries
/// that it is due, with the pauses that are due between them.
#[test]
fn every_event_ends_once_after_the_tries_that_it_is_due() {
    const EVENTS: usize = 60;
    for seed in 0..12 {
        story(&format!("model-{seed}"), async |world, runs| {
            let mut dice = Rng::new(seed);
            let retries = dice.below(3) as usize;
            configure(world, Some(retries as i32), None).await;
            // Spaces tell events apart that fail equally often.
            let events: Vec<_> =
                (0..EVENTS).map(|number| format!("{}{}", dice.below(4), " ".repeat(number))).collect();
            for event in &events {
                send(world, "hello", event).await.expect("accepted");
                if dice.below(5) == 0 {
                    world.env.sleep(Duration::from_millis(dice.below(90_000))).await;
                }
            }
            world.env.sleep(Duration::from_hours(1)).await;
            assert_eq!(open(world).await, 0);
            for event in &events {
                let failures: usize = event.trim().parse().expect("a number");
                let times = runs.times(event);
                assert_eq!(times.len(), failures.min(retries) + 1, "{failures} failures: {times:?}");
                for (number, pair) in times.windows(2).enumerate() {
                    assert!(pair[1] - pair[0] >= 60_000 * (number as u64 + 1), "too soon: {times:?}");
                }
            }
        });
    }
}
