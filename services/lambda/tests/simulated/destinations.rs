//! The end of an event is told: to destinations as a record, to the dead-letter queue as the event.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::asynchronous::{open, send, story, story_as};
use crate::world::{Denied, Letter, World, function};
use apus_model_lambda::{
    CreateFunction, CreateFunctionRequest, DeadLetterConfig, DestinationConfig, GetFunctionConfiguration,
    GetFunctionConfigurationRequest, OnFailure, OnSuccess, PutFunctionConcurrency,
    PutFunctionConcurrencyRequest, PutFunctionEventInvokeConfig, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
};
use serde_json::{Value, json};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:told";
const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";
const BUCKET: &str = "arn:aws:s3:::bin";
const HELLO: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";
/// Long enough for all tries of an event.
const ALL_TRIES: Duration = Duration::from_mins(10);

fn destinations(success: &str, failure: &str) -> PutFunctionEventInvokeConfigRequest {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PutFunctionEventInvokeConfigRequest {
        function_name: "hello".into(),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: some(success) }),
            on_failure: Some(OnFailure { destination: some(failure) }),
        }),
        ..PutFunctionEventInvokeConfigRequest::default()
    }
}

async fn tell(world: &World, success: &str, failure: &str) {
    world.call::<PutFunctionEventInvokeConfig>(destinations(success, failure)).await.expect("configured");
}

fn dead_letters(target: &str) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: "hello".into(),
        dead_letter_config: Some(DeadLetterConfig { target_arn: Some(target.into()) }),
        ..UpdateFunctionConfigurationRequest::default()
    }
}

fn letters(world: &World) -> Vec<Letter> {
    world.told.letters.lock().expect("no panic").clone()
}

/// A record without its moment, which is checked.
fn record(letter: &Letter) -> Value {
    let mut record: Value = serde_json::from_str(&letter.body).expect("JSON");
    let at = record["timestamp"].take();
    assert!(at.as_str().is_some_and(|at| at.starts_with("2026-01-01T00:") && at.ends_with('Z')), "{at}");
    record.as_object_mut().expect("an object").remove("timestamp");
    record
}

#[test]
fn success_and_failure_are_told_to_their_own_destinations() {
    story("told", async |world, runs| {
        tell(world, QUEUE, BUCKET).await;
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        let id = runs.all()[0].request_id.clone();
        let [letter] = &letters(world)[..] else { panic!("one letter: {:?}", letters(world)) };
        assert_eq!(letter.to, "https://sqs.us-east-1.amazonaws.com/000000000000/told");
        assert_eq!(letter.by, "arn:aws:sts::000000000000:assumed-role/worker/hello");
        assert_eq!(letter.attributes, []);
        assert_eq!(
            record(letter),
            json!({
                "version": "1.0",
                "requestContext": {
                    "requestId": id, "functionArn": format!("{HELLO}:$LATEST"), "condition": "Success",
                    "approximateInvokeCount": 1,
                },
                "requestPayload": 0,
                "responseContext": { "statusCode": 200, "executedVersion": "$LATEST" },
                "responsePayload": "done",
            })
        );
        send(world, "hello", "9").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        let [_, letter] = &letters(world)[..] else { panic!("two letters: {:?}", letters(world)) };
        let day = "bin/aws/lambda/async/hello/2026/01/01/2026-01-01T00.";
        assert!(letter.to.starts_with(day) && letter.to.len() == day.len() + 5 + 1 + 36, "{}", letter.to);
        let failed = record(letter);
        assert_eq!(failed["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(failed["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(
            (&failed["responseContext"], &failed["responsePayload"]),
            (
                &json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" }),
                &json!({ "errorMessage": "no", "errorType": "ValueError" })
            )
        );
    });
}

#[test]
fn a_destination_and_the_dead_letter_queue_both_hear_of_a_failure() {
    story("both", async |world, runs| {
        world.call::<UpdateFunctionConfiguration>(dead_letters(DEAD)).await.expect("updated");
        tell(world, "", QUEUE).await;
        send(world, "hello", "9").await.expect("accepted");
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        let mut all = letters(world);
        all.sort_by(|a, b| a.to.cmp(&b.to));
        let [dead, told] = &all[..] else { panic!("two letters: {all:?}") };
        let id = runs.all().iter().find(|seen| seen.event == "9").expect("it ran").request_id.clone();
        assert!(dead.to.ends_with("/dead") && told.to.ends_with("/told"));
        assert_eq!((dead.body.as_str(), &record(told)["requestPayload"]), ("9", &json!(9)));
        let expected =
            [("ErrorCode", "Number", "200"), ("ErrorMessage", "String", "no"), ("RequestID", "String", &id)];
        let expected =
            expected.map(|(name, kind, value)| (name.to_owned(), kind.to_owned(), value.to_owned()));
        assert_eq!(dead.attributes, expected);
    });
}

#[test]
fn a_function_is_a_destination_whose_event_is_the_record() {
    story("chain", async |world, runs| {
        world.call::<CreateFunction>(function("next")).await.expect("made");
        tell(world, &HELLO.replace("hello", "next"), "").await;
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        let all = runs.all();
        let [_, next] = &all[..] else { panic!("two runs: {all:?}") };
        let event: Value = serde_json::from_str(&next.event).expect("JSON");
        assert_eq!(event["requestContext"]["requestId"], all[0].request_id.as_str());
        assert_eq!(open(world).await, 0);
    });
}

#[test]
fn what_could_not_run_says_so() {
    story("not run", async |world, _| {
        world.call::<UpdateFunctionConfiguration>(dead_letters(DEAD)).await.expect("updated");
        tell(world, "", QUEUE).await;
        let reserve = |count| PutFunctionConcurrencyRequest {
            function_name: "hello".into(),
            reserved_concurrent_executions: count,
        };
        world.call::<PutFunctionConcurrency>(reserve(0)).await.expect("reserved");
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        let mut all = letters(world);
        all.sort_by(|a, b| a.to.cmp(&b.to));
        let told = record(&all[1]);
        assert_eq!(told["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(told["requestContext"]["approximateInvokeCount"], 0);
        assert_eq!(told["responseContext"], json!({ "statusCode": 429 }));
        assert_eq!(all[0].attributes[0], ("ErrorCode".into(), "Number".into(), "429".into()));
        // Too old, after it was throttled for all of its life.
        world.call::<PutFunctionConcurrency>(reserve(1)).await.expect("reserved");
        let mut config = destinations("", QUEUE);
        config.maximum_event_age_in_seconds = Some(60);
        world.call::<PutFunctionEventInvokeConfig>(config).await.expect("configured");
        world.told.letters.lock().expect("no panic").clear();
        send(world, "hello", "\"slow\"").await.expect("accepted");
        world.env.sleep(Duration::from_secs(1)).await;
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(Duration::from_secs(61)).await;
        let mut all = letters(world);
        all.sort_by(|a, b| a.to.cmp(&b.to));
        let [dead, told] = &all[..] else { panic!("two letters: {all:?}") };
        assert_eq!(record(told)["requestContext"]["condition"], "EventAgeExceeded");
        assert_eq!((dead.body.as_str(), &dead.attributes[0].2), ("0", &"429".to_owned()));
    });
}

#[test]
fn the_destination_is_the_one_of_the_moment_of_the_end() {
    story("moment", async |world, _| {
        tell(world, "", QUEUE).await;
        send(world, "hello", "9").await.expect("accepted");
        world.env.sleep(Duration::from_secs(90)).await;
        tell(world, "", DEAD).await;
        world.env.sleep(ALL_TRIES).await;
        let to: Vec<_> = letters(world).into_iter().map(|letter| letter.to).collect();
        assert_eq!(to, ["https://sqs.us-east-1.amazonaws.com/000000000000/dead"]);
    });
}

#[test]
fn a_destination_that_fails_is_told_later_and_one_that_is_gone_never() {
    story("undeliverable", async |world, _| {
        tell(world, QUEUE, &QUEUE.replace("told", "gone")).await;
        world.told.failures.store(3, Ordering::Relaxed);
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(Duration::from_secs(6)).await;
        assert_eq!(letters(world), []);
        world.env.sleep(Duration::from_secs(2)).await;
        assert_eq!(letters(world).len(), 1, "after one second, two and four");
        assert_eq!(world.outbox.dead(10).await.expect("read"), []);
        send(world, "hello", "9").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        let dead = world.outbox.dead(10).await.expect("read");
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].operation, "lambda:tell");
        assert_eq!(dead[0].reason, format!("{}: NoSuchThing: it is gone", QUEUE.replace("told", "gone")));
    });
}

#[test]
fn the_role_must_be_allowed_to_tell_when_it_is_configured_and_when_it_does() {
    let denied = Denied::default();
    let deny = denied.clone();
    story_as("role", denied, async |world, _| {
        let forbid = |action| assert!(deny.0.lock().expect("no panic").insert(action));
        tell(world, QUEUE, "").await;
        forbid("sqs:SendMessage");
        let no = "InvalidParameterValueException".to_owned();
        assert_eq!(
            world.refused::<PutFunctionEventInvokeConfig>(destinations(QUEUE, "")).await,
            (
                no.clone(),
                format!(
                    "The function's execution role does not have permissions to call SendMessage on {QUEUE}"
                )
            )
        );
        let message =
            "The provided execution role does not have permissions to call SendMessage on SQS".to_owned();
        assert_eq!(
            world.refused::<UpdateFunctionConfiguration>(dead_letters(DEAD)).await,
            (no.clone(), message.clone())
        );
        let create = CreateFunctionRequest {
            dead_letter_config: Some(DeadLetterConfig { target_arn: Some(DEAD.into()) }),
            ..function("other")
        };
        assert_eq!(world.refused::<CreateFunction>(create).await, (no.clone(), message));
        forbid("s3:ListBucket");
        let (name, message) = world.refused::<PutFunctionEventInvokeConfig>(destinations("", BUCKET)).await;
        assert_eq!(name, no);
        assert!(message.ends_with(&format!("permissions to call ListBucket on {BUCKET}")), "{message}");
        // What was allowed once is asked again.
        send(world, "hello", "0").await.expect("accepted");
        world.env.sleep(ALL_TRIES).await;
        assert_eq!((letters(world), world.outbox.dead(10).await.expect("read").len()), (Vec::new(), 1));
    });
}

#[test]
fn what_cannot_be_told_is_refused() {
    story("refused", async |world, _| {
        let invalid = |arn: &str| format!("The destination ARN {arn} is invalid.");
        let events = "arn:aws:events:us-east-1:000000000000:event-bus/default";
        let topic = "arn:aws:sns:us-east-1:000000000000:topic";
        for (success, failure, name, message) in [
            (BUCKET, "", "InvalidParameterValueException", invalid(BUCKET)),
            ("", "arn:aws:ec2:::x", "InvalidParameterValueException", invalid("arn:aws:ec2:::x")),
            (
                "",
                events,
                "NotSupported",
                "Apus does not support EventBridge as a destination of Lambda yet.".into(),
            ),
            (
                "",
                topic,
                "NotSupported",
                "Apus does not support SNS as a destination (this instance has no SNS) of Lambda yet.".into(),
            ),
        ] {
            let refused = world.refused::<PutFunctionEventInvokeConfig>(destinations(success, failure)).await;
            assert_eq!(refused, (name.to_owned(), message));
        }
        let refused = world.refused::<UpdateFunctionConfiguration>(dead_letters(BUCKET)).await;
        assert_eq!(refused.0, "InvalidParameterValueException");
        // The dead-letter queue is shown, kept by other updates, and taken away by an empty name.
        let shown = async || {
            let input = GetFunctionConfigurationRequest { function_name: "hello".into(), qualifier: None };
            let config = world.call::<GetFunctionConfiguration>(input).await.expect("shown");
            config.dead_letter_config.and_then(|config| config.target_arn)
        };
        world.call::<UpdateFunctionConfiguration>(dead_letters(DEAD)).await.expect("updated");
        let other = UpdateFunctionConfigurationRequest {
            function_name: "hello".into(),
            timeout: Some(9),
            ..UpdateFunctionConfigurationRequest::default()
        };
        world.call::<UpdateFunctionConfiguration>(other).await.expect("updated");
        assert_eq!(shown().await.as_deref(), Some(DEAD));
        world.call::<UpdateFunctionConfiguration>(dead_letters("")).await.expect("updated");
        assert_eq!(shown().await, None);
    });
}
