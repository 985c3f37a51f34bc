//! The pool over simulated functions in a simulated world: hours pass in no time, and a seed repeats them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_compute::driver::fake::{FakeDriver, FakeEnd, FakeReply};
use apus_compute::driver::{Driver, Exit, StartError};
use apus_compute::exchange::Fault;
use apus_compute::{
    Compute, Credentials, EnvironmentPorts, FunctionKey, FunctionSpec, InvokeError, InvokeOutcome,
    InvokeRequest, LineSink, LogFormat, PoolLimits, Shortfall,
};
use apus_env::Env;
use apus_env::sim::Simulator;

struct Ports;

impl EnvironmentPorts for Ports {
    fn credentials(&self) -> Option<Credentials> {
        None
    }
    fn log_stream(&self) -> String {
        "stream".into()
    }
    fn log(&self, _: &str) -> Arc<dyn LineSink> {
        Arc::new(Self)
    }
    fn serve_endpoint(&self, _: apus_compute::InsideListeners) {}
}

impl LineSink for Ports {
    fn line(&self, _: Option<&str>, _: &str) {}
}

fn spec(name: &str) -> FunctionSpec {
    FunctionSpec {
        key: FunctionKey { arn: name.into(), revision: "1".into() },
        name: name.into(),
        version: "7".into(),
        arn: format!("arn:aws:lambda:eu-central-1:000000000000:function:{name}"),
        region: "eu-central-1".into(),
        handler: "app.handler".into(),
        runtime: "python3.12".into(),
        memory_mb: 128,
        timeout: Duration::from_secs(3),
        concurrency_max: None,
        share: None,
        tmp_mb: 512,
        variables: Vec::new(),
        code_dir: "/nowhere".into(),
        layer_dirs: Vec::new(),
        egress: apus_compute::Egress::Off,
        log_group: String::new(),
        log_format: LogFormat::Text,
        ports: Arc::new(Ports),
    }
}

fn limits() -> PoolLimits {
    PoolLimits {
        environments_max: 10,
        waiting_max: 100,
        idle_max: Duration::from_mins(5),
        freeze_after: None,
    }
}

async fn invoke(
    compute: &Compute,
    env: &Env,
    name: &str,
    payload: &str,
) -> Result<InvokeOutcome, InvokeError> {
    let request = InvokeRequest {
        request_id: env.uuid_v4(),
        payload: payload.to_owned().into(),
        ..InvokeRequest::default()
    };
    compute.invoke(spec(name), request).await
}

/// Answers with what the event asks for.
fn obey(event: &[u8]) -> FakeReply {
    let text = String::from_utf8_lossy(event).into_owned();
    let (word, number) = text.split_once(' ').unwrap_or((&text, "0"));
    let number: u64 = number.parse().unwrap_or_default();
    let end = match word {
        "exit" => FakeEnd::Exit(Exit::Status(number as i32)),
        "memory" => FakeEnd::Exit(Exit::OutOfMemory),
        "hang" => FakeEnd::Hang,
        "fault" => FakeEnd::Fault(Fault {
            error_type: Some("NestError".into()),
            body: r#"{"errorType":"NestError"}"#.into(),
        }),
        _ => FakeEnd::Response(text.clone().into()),
    };
    let after = if word == "after" { Duration::from_millis(number) } else { Duration::ZERO };
    FakeReply { after, output: "said\n".into(), end }
}

fn world(seed: u64, body: impl AsyncFnOnce(Env, Compute)) {
    let mut simulator = Simulator::new(seed);
    let env = simulator.env();
    let driver =
        FakeDriver::new(env.clone(), Duration::from_millis(100), |_, invocation| obey(&invocation.payload));
    simulator.run(async {
        let compute = Compute::with_driver(env.clone(), Arc::new(driver), limits());
        body(env, compute.clone()).await;
        compute.stop().await;
    });
}

#[test]
fn time_is_measured_by_the_environment_s_clock() {
    world(1, async |env, compute| {
        let outcome = invoke(&compute, &env, "f", "after 250").await.expect("it runs");
        assert_eq!(&*outcome.payload, b"after 250");
        assert_eq!(outcome.init_duration, Some(Duration::from_millis(100)));
        assert_eq!((outcome.duration, outcome.billed_ms), (Duration::from_millis(250), 350));
        assert!(outcome.log.contains(" Version: 7\nsaid\nEND "), "{}", outcome.log);
        let report = outcome.log.lines().last().unwrap_or_default().to_owned();
        assert!(report.ends_with("\tDuration: 250.00 ms\tBilled Duration: 350 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tInit Duration: 100.00 ms\t"), "{report}");
        let outcome = invoke(&compute, &env, "f", "again").await.expect("it runs");
        assert_eq!((outcome.cold, outcome.billed_ms), (None, 0));
    });
}

#[test]
fn every_end_has_its_error_and_the_next_invocation_works() {
    let cases = [
        ("exit 1", "Runtime.ExitError", "Error: Runtime exited with error: exit status 1"),
        ("memory", "Runtime.OutOfMemory", "Error: Runtime exited with error: signal: killed"),
        ("hang", "Sandbox.Timedout", "Error: Task timed out after 3.00 seconds"),
        ("after 3001", "Sandbox.Timedout", "Error: Task timed out after 3.00 seconds"),
        ("fault", "NestError", ""),
    ];
    world(2, async |env, compute| {
        for (event, error_type, message) in cases {
            let outcome = invoke(&compute, &env, "f", event).await.expect("it runs");
            let error = outcome.function_error.expect("it fails");
            assert_eq!(error.error_type, error_type);
            let payload = String::from_utf8_lossy(&outcome.payload).into_owned();
            assert!(payload.contains(message), "{payload}");
            assert_eq!(outcome.duration >= Duration::from_secs(3), error_type == "Sandbox.Timedout");
            let next = invoke(&compute, &env, "f", "well").await.expect("it runs");
            assert_eq!(next.function_error, None);
            assert_eq!(next.cold.is_some(), event != "fault", "{event}");
        }
    });
}

#[test]
fn unused_environments_go_after_their_time_and_not_before() {
    world(3, async |env, compute| {
        for (pause, cold) in [(0, true), (299, false), (299, false), (301, true)] {
            env.sleep(Duration::from_secs(pause)).await;
            let outcome = invoke(&compute, &env, "f", "x").await.expect("it runs");
            assert_eq!(outcome.cold.is_some(), cold, "after {pause} s");
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        world(seed, async move |env, compute| {
            let all = (0..60).map(|n| {
                let (env, compute, told) = (env.clone(), compute.clone(), told.clone());
                async move {
                    env.sleep(Duration::from_millis(env.random_below(2000))).await;
                    let event = ["after 30", "exit 2", "fault", "after 700"][env.random_below(4) as usize];
                    let name = format!("f{}", n % 14);
                    let outcome = invoke(&compute, &env, &name, event).await.expect("there is room");
                    let mut told = told.lock().expect("no test panics here");
                    told.push((
                        env.monotonic(),
                        name,
                        outcome.function_error,
                        outcome.duration,
                        outcome.cold,
                    ));
                }
            });
            futures_util::future::join_all(all).await;
        });
        Arc::try_unwrap(heard)
            .map_err(|_| "still shared")
            .expect("the world ended")
            .into_inner()
            .expect("no panic")
    };
    assert_eq!(history(4), history(4));
    assert_ne!(history(4), history(5));
}

#[test]
fn waiting_is_bounded_and_callers_may_leave() {
    let mut simulator = Simulator::new(6);
    let env = simulator.env();
    let driver = FakeDriver::new(env.clone(), Duration::ZERO, |_, invocation| obey(&invocation.payload));
    let limits = PoolLimits {
        environments_max: 1,
        waiting_max: 1,
        idle_max: Duration::from_secs(1),
        freeze_after: None,
    };
    simulator.run(async {
        let compute = Compute::with_driver(env.clone(), Arc::new(driver), limits);
        let (one, (two, three)) =
            futures_util::future::join(invoke(&compute, &env, "f", "after 1000"), async {
                env.sleep(Duration::from_millis(10)).await;
                futures_util::future::join(
                    env.timeout(Duration::from_millis(100), invoke(&compute, &env, "g", "x")),
                    invoke(&compute, &env, "h", "x"),
                )
                .await
            })
            .await;
        assert!(one.is_ok());
        assert!(two.is_err(), "it waits behind the first, longer than its caller");
        assert!(matches!(three, Err(InvokeError::Throttled(_))), "{three:?}");
        assert_eq!(invoke(&compute, &env, "g", "y").await.map(|outcome| outcome.payload), Ok("y".into()));
        compute.stop().await;
        assert!(matches!(invoke(&compute, &env, "g", "y").await, Err(InvokeError::Stopping)));
    });
}

#[test]
fn a_host_that_fails_is_no_function_error() {
    struct Broken;
    impl Driver for Broken {
        fn level(&self) -> apus_compute::Level {
            apus_compute::Level::None
        }
        fn start(
            &self,
            _: apus_compute::driver::SandboxSpec,
            _: apus_compute::driver::Wiring,
        ) -> apus_compute::driver::BoxFuture<'_, Result<Arc<dyn apus_compute::driver::Sandbox>, StartError>>
        {
            Box::pin(async { Err(StartError::Host("no room".into())) })
        }
        fn stop(&self) -> apus_compute::driver::BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }
    let mut simulator = Simulator::new(7);
    let env = simulator.env();
    simulator.run(async {
        let compute = Compute::with_driver(env.clone(), Arc::new(Broken), limits());
        let error = invoke(&compute, &env, "f", "x").await.map(drop).expect_err("nothing runs");
        assert_eq!(error, InvokeError::Host("no room".into()));
        compute.provision(spec("g"), 1);
        compute.settled(&spec("g").key).await;
        let found = compute.provisioned(&spec("g").key).expect("one is to be kept");
        assert_eq!((found.standing, found.shortfall), (0, Some(Shortfall::Platform("no room".into()))));
        compute.release(&spec("g").key);
        assert_eq!(compute.provisioned(&spec("g").key), None);
        compute.stop().await;
    });
}

#[test]
fn environments_that_are_kept_answer_without_a_start() {
    let mut simulator = Simulator::new(8);
    let env = simulator.env();
    let driver = FakeDriver::new(env.clone(), Duration::from_millis(100), |sandbox, invocation| {
        let kind = sandbox.variables.iter().find(|(name, _)| name == "AWS_LAMBDA_INITIALIZATION_TYPE");
        let reply = obey(&invocation.payload);
        match (&reply.end, kind) {
            (FakeEnd::Response(_), Some((_, kind))) => {
                FakeReply { end: FakeEnd::Response(kind.clone().into()), ..reply }
            }
            _ => reply,
        }
    });
    simulator.run(async {
        let compute = Compute::with_driver(env.clone(), Arc::new(driver), limits());
        let key = spec("f").key;
        compute.provision(spec("f"), 2);
        compute.settled(&key).await;
        env.sleep(Duration::from_hours(1)).await;
        let found = compute.provisioned(&key).expect("two are to be kept");
        assert_eq!((found.wanted, found.standing, found.free, found.shortfall), (2, 2, 2, None));
        let outcome = invoke(&compute, &env, "f", "x").await.expect("it runs");
        assert_eq!(&*outcome.payload, b"provisioned-concurrency");
        assert_eq!((outcome.cold, outcome.init_duration, outcome.billed_ms), (None, None, 0));
        assert!(!outcome.log.contains("Init Duration"), "{}", outcome.log);
        let calls = ["after 200"; 3].map(|event| invoke(&compute, &env, "f", event));
        let [one, two, three] = calls;
        let (one, two, three) = tokio::join!(one, two, three);
        let answers = [one, two, three].map(|answer| answer.expect("it runs"));
        let on_demand: Vec<_> = answers.iter().filter(|answer| answer.init_duration.is_some()).collect();
        assert_eq!(on_demand.len(), 1, "two are kept");
        assert_eq!(&*on_demand[0].payload, b"on-demand");
        assert_eq!(on_demand[0].billed_ms, 300);
        invoke(&compute, &env, "f", "exit 1").await.expect("it runs");
        compute.settled(&key).await;
        assert_eq!(compute.provisioned(&key).expect("two are to be kept").standing, 2);
        compute.retire(&key);
        assert_eq!(compute.provisioned(&key), None);
        compute.stop().await;
    });
}

#[test]
fn a_start_that_nobody_waits_for_has_more_time() {
    let mut simulator = Simulator::new(9);
    let env = simulator.env();
    let slow = |init| FakeDriver::new(env.clone(), init, |_, invocation| obey(&invocation.payload));
    simulator.run(async {
        // Longer than ten seconds, and than the function's timeout.
        let compute = Compute::with_driver(env.clone(), Arc::new(slow(Duration::from_secs(129))), limits());
        let outcome = invoke(&compute, &env, "f", "x").await.expect("it is tried");
        assert_eq!(outcome.function_error.expect("it fails").error_type, "Sandbox.Timedout");
        assert_eq!(outcome.init_duration, Some(Duration::from_secs(10)));
        compute.provision(spec("f"), 1);
        compute.settled(&spec("f").key).await;
        assert_eq!(compute.provisioned(&spec("f").key).expect("one is to be kept").standing, 1);
        compute.stop().await;

        let compute = Compute::with_driver(env.clone(), Arc::new(slow(Duration::from_secs(400))), limits());
        compute.provision(spec("f"), 1);
        compute.settled(&spec("f").key).await;
        assert_eq!(compute.provisioned(&spec("f").key).expect("one is to be kept").standing, 0);
        let patient = FunctionSpec { timeout: Duration::from_secs(500), ..spec("g") };
        compute.provision(patient.clone(), 1);
        compute.settled(&patient.key).await;
        assert_eq!(compute.provisioned(&patient.key).expect("one is to be kept").standing, 1);
        compute.stop().await;
    });
}
