//! Functions run: with their variables, under their role, in environments that are theirs alone.

use std::time::Duration;

use crate::world::{self, World, function};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::{FakeEnd, FakeReply};
use apus_compute::exchange::{Fault, Invocation};
use apus_model_lambda::{
    CreateFunction, CreateFunctionRequest, DeleteFunction, DeleteFunctionRequest, Environment,
    InvocationRequest, InvocationResponse, InvocationType, Invoke, LogType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Obeys the event: `"NAME"` answers with a variable of that name.
fn obey(sandbox: &SandboxSpec, invocation: &Invocation) -> FakeReply {
    let event = String::from_utf8_lossy(&invocation.payload).into_owned();
    match event.trim_matches('"') {
        "fail" => FakeReply {
            end: FakeEnd::Fault(Fault {
                error_type: Some("ValueError".into()),
                body: r#"{"errorMessage":"no","errorType":"ValueError"}"#.into(),
            }),
            ..FakeReply::response("")
        },
        "wait" => FakeReply { after: Duration::from_secs(2), ..FakeReply::response("1") },
        "long log" => FakeReply { output: "é".repeat(5_000) + "\n", ..FakeReply::response("null") },
        name => {
            let found =
                sandbox.variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
            FakeReply { output: "said\n".into(), ..FakeReply::response(found.unwrap_or("?").to_owned()) }
        }
    }
}

fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    world::world(test, obey, story);
}

fn text(response: &InvocationResponse) -> String {
    String::from_utf8_lossy(response.payload.as_deref().unwrap_or_default()).into_owned()
}

/// What a variable of a function is.
async fn variable(world: &World, function: &str, name: &str) -> String {
    text(&world.invoke(function, &format!("\"{name}\"")).await.expect("it runs"))
}

#[test]
fn a_function_finds_its_variables_its_role_and_the_platform() {
    story("variables", async |world| {
        let mine = [("MINE", "value"), ("TZ", "Europe/Berlin")];
        let mine = mine.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let environment = Some(Environment { variables: Some(mine) });
        world
            .call::<CreateFunction>(CreateFunctionRequest { environment, ..function("hello") })
            .await
            .expect("made");
        for (name, value) in [
            ("MINE", "value"),
            ("TZ", "Europe/Berlin"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
            ("_HANDLER", "handler.handle"),
            ("AWS_SESSION_TOKEN", "token of arn:aws:iam::000000000000:role/worker as hello"),
        ] {
            assert_eq!(variable(world, "hello", name).await, value, "{name}");
        }
        let stream = variable(world, "hello", "AWS_LAMBDA_LOG_STREAM_NAME").await;
        assert!(stream.starts_with("2026/01/01/[$LATEST]") && stream.len() == 20 + 32, "{stream}");
    });
}

#[test]
fn answers_errors_and_logs_have_their_places() {
    story("answers", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let response = world.invoke("hello", "\"TZ\"").await.expect("it runs");
        assert_eq!(
            (response.status_code, response.executed_version.as_deref()),
            (Some(200), Some("$LATEST"))
        );
        assert_eq!((response.function_error, response.log_result), (None, None));
        let failed = world.invoke("hello", "\"fail\"").await.expect("it runs");
        assert_eq!((failed.status_code, failed.function_error.as_deref()), (Some(200), Some("Unhandled")));
        assert_eq!(
            failed.payload.as_deref(),
            Some(&br#"{"errorMessage":"no","errorType":"ValueError"}"#[..])
        );

        let invoke = |event: &'static str| InvocationRequest {
            function_name: "hello".into(),
            payload: Some(event.into()),
            log_type: Some(LogType::Tail),
            ..InvocationRequest::default()
        };
        let log = async |event| {
            let response = world.call::<Invoke>(invoke(event)).await.expect("it runs");
            STANDARD.decode(response.log_result.expect("a log")).expect("base64")
        };
        let short = String::from_utf8(log("\"TZ\"").await).expect("text");
        let lines: Vec<_> = short.lines().collect();
        assert!(
            lines[0].starts_with("START RequestId: ") && lines[0].ends_with(" Version: $LATEST"),
            "{short}"
        );
        assert_eq!(lines[1], "said");
        assert!(
            lines[2].starts_with("END RequestId: ") && lines[3].starts_with("REPORT RequestId: "),
            "{short}"
        );
        let long = log("\"long log\"").await;
        assert!((4_093..=4_096).contains(&long.len()), "{}", long.len());

        let dry = InvocationRequest { invocation_type: Some(InvocationType::DryRun), ..invoke("\"fail\"") };
        let dry = world.call::<Invoke>(dry).await.expect("it could run");
        assert_eq!((dry.status_code, dry.payload, dry.log_result), (Some(204), None, None));
    });
}

#[test]
fn requests_that_cannot_run_are_refused() {
    story("refused", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let base = || InvocationRequest { function_name: "hello".into(), ..InvocationRequest::default() };
        let context = |text: &str| Some(text.to_owned());
        let arn = "arn:aws:lambda:us-east-1:000000000000:function";
        for (request, name, message) in [
            (
                InvocationRequest { payload: Some("{".into()), ..base() },
                "InvalidRequestContentException",
                "Could not parse request body into json: ".to_owned(),
            ),
            (
                InvocationRequest { payload: Some(vec![b' '; 6_291_457].into()), ..base() },
                "RequestTooLargeException",
                "Request must be smaller than 6291456 bytes for the InvokeFunction operation".into(),
            ),
            (
                InvocationRequest { client_context: context("e30"), ..base() },
                "InvalidRequestContentException",
                "Client context must be a valid Base64-encoded JSON object.".into(),
            ),
            (
                InvocationRequest {
                    invocation_type: Some(InvocationType::Event),
                    payload: Some(vec![b'1'; 1_048_577].into()),
                    ..base()
                },
                "RequestTooLargeException",
                "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
                    .into(),
            ),
            (
                InvocationRequest { tenant_id: context("one"), ..base() },
                "InvalidParameterValueException",
                "The invoked function is not enabled with tenancy configuration.".into(),
            ),
            (
                InvocationRequest { function_name: "other".into(), ..base() },
                "ResourceNotFoundException",
                format!("Function not found: {arn}:other"),
            ),
            (
                InvocationRequest { qualifier: context("live"), ..base() },
                "ResourceNotFoundException",
                format!("Function not found: {arn}:hello:live"),
            ),
            (
                InvocationRequest {
                    function_name: "other".into(),
                    invocation_type: Some(InvocationType::DryRun),
                    ..base()
                },
                "ResourceNotFoundException",
                format!("Function not found: {arn}:other"),
            ),
        ] {
            let refused = world.refused::<Invoke>(request).await;
            assert_eq!(refused.0, name, "{}", refused.1);
            assert!(refused.1.starts_with(&message), "{}", refused.1);
        }
    });
}

#[test]
fn a_function_made_again_never_runs_in_old_environments() {
    story("again", async |world| {
        let mut seen = Vec::new();
        for _ in 0..3 {
            world.call::<CreateFunction>(function("hello")).await.expect("made");
            let first = variable(world, "hello", "AWS_LAMBDA_LOG_STREAM_NAME").await;
            assert_eq!(variable(world, "hello", "AWS_LAMBDA_LOG_STREAM_NAME").await, first);
            assert!(!seen.contains(&first), "an old environment answered");
            seen.push(first);
            let input = DeleteFunctionRequest { function_name: "hello".into(), qualifier: None };
            world.call::<DeleteFunction>(input).await.expect("deleted");
        }
    });
}

#[test]
fn a_busy_function_gets_a_new_session_long_before_the_old_one_ends() {
    story("sessions", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        // The first session was for the question whether the role can be assumed.
        assert_eq!(variable(world, "hello", "AWS_ACCESS_KEY_ID").await, "ASIA1");
        for _ in 0..10 {
            world.env.sleep(Duration::from_secs(239)).await;
            assert_eq!(variable(world, "hello", "AWS_ACCESS_KEY_ID").await, "ASIA1");
        }
        world.env.sleep(Duration::from_secs(11)).await;
        assert_eq!(variable(world, "hello", "AWS_ACCESS_KEY_ID").await, "ASIA2");
    });
}

#[test]
fn more_than_may_wait_are_throttled() {
    story("throttled", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let all = (0..world::WAITING_MAX + 3).map(|_| world.invoke("hello", "\"wait\""));
        let answers = futures_util::future::join_all(all).await;
        let throttled: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert_eq!(throttled.len(), 3);
        for error in throttled {
            assert_eq!(error.name(), "TooManyRequestsException");
            let reason =
                error.fields().named(apus_model_lambda::errors::TOO_MANY_REQUESTS_EXCEPTION.schema, "Reason");
            assert_eq!(reason, Some(&"ConcurrentInvocationLimitExceeded".into()));
        }
    });
}
