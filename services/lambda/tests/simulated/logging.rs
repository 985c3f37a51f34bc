//! Logs are configured, and written, as Lambda's advanced logging controls have it.

use crate::world::{self, World, function};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::FakeReply;
use apus_compute::exchange::Invocation;
use apus_model_lambda::{
    ApplicationLogLevel, CreateFunction, CreateFunctionRequest, InvocationRequest, Invoke, LogFormat,
    LogType, LoggingConfig, PublishVersion, PublishVersionRequest, SystemLogLevel,
    UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const NO_LEVELS: &str = "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request \
                         or change the LogFormat to \"JSON\" and try again.";

/// Answers with its variables; prints what the event says.
fn tells(sandbox: &SandboxSpec, invocation: &Invocation) -> FakeReply {
    let variables: serde_json::Map<_, _> =
        sandbox.variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let output: String = serde_json::from_slice(&invocation.payload).expect("a text");
    FakeReply { output, ..FakeReply::response(Value::Object(variables).to_string()) }
}

fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    world::world(test, tells, story);
}

/// What is asked for, each by its name in the API or `-`: format, application level, system level, group.
fn config(text: &str) -> LoggingConfig {
    let mut parts = text.split(' ').map(|part| (part != "-").then_some(part));
    let mut next = || parts.next().expect("four parts");
    LoggingConfig {
        log_format: next().map(LogFormat::from),
        application_log_level: next().map(ApplicationLogLevel::from),
        system_log_level: next().map(SystemLogLevel::from),
        log_group: next().map(Into::into),
    }
}

fn shown(config: Option<LoggingConfig>) -> String {
    let config = config.expect("it is shown");
    let part = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    [
        part(config.log_format.map(|format| format.to_string())),
        part(config.application_log_level.map(|level| level.to_string())),
        part(config.system_log_level.map(|level| level.to_string())),
        part(config.log_group),
    ]
    .join(" ")
}

async fn update(world: &World, asked: &str) -> String {
    let request = update_request(asked);
    shown(world.call::<UpdateFunctionConfiguration>(request).await.expect("updated").logging_config)
}

fn update_request(asked: &str) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: "hello".into(),
        logging_config: Some(config(asked)),
        ..UpdateFunctionConfigurationRequest::default()
    }
}

fn create(name: &str, asked: &str) -> CreateFunctionRequest {
    CreateFunctionRequest { logging_config: Some(config(asked)), ..function(name) }
}

#[test]
fn a_new_function_s_log_is_text_unless_it_asks_for_json() {
    story("log-create", async |world| {
        for (number, (asked, expected)) in [
            ("- - - -", "Text - - /aws/lambda/f0"),
            ("Text - - -", "Text - - /aws/lambda/f1"),
            ("- - - all", "Text - - all"),
            ("JSON - - -", "JSON INFO INFO /aws/lambda/f3"),
            ("JSON TRACE - all", "JSON TRACE INFO all"),
            ("JSON - WARN -", "JSON INFO WARN /aws/lambda/f5"),
        ]
        .into_iter()
        .enumerate()
        {
            let made = world.call::<CreateFunction>(create(&format!("f{number}"), asked)).await;
            assert_eq!(shown(made.expect("made").logging_config), expected, "{asked}");
        }
        for asked in ["Text INFO - -", "Text - INFO -", "- DEBUG - -", "- - WARN -"] {
            let refused = world.refused::<CreateFunction>(create("f9", asked)).await;
            assert_eq!(refused, ("InvalidParameterValueException".into(), NO_LEVELS.into()), "{asked}");
        }
    });
}

#[test]
fn an_update_changes_what_it_names() {
    story("log-update", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        for (asked, expected) in [
            ("- - - -", "Text - - /aws/lambda/hello"),
            ("JSON - - -", "JSON INFO INFO /aws/lambda/hello"),
            ("- DEBUG - -", "JSON DEBUG INFO /aws/lambda/hello"),
            ("- - WARN all", "JSON DEBUG WARN all"),
            ("- FATAL - -", "JSON FATAL WARN all"),
            // Who names the format begins anew with the levels.
            ("JSON - DEBUG -", "JSON INFO DEBUG all"),
            ("Text - - -", "Text - - all"),
            ("- - - /aws/lambda/hello", "Text - - /aws/lambda/hello"),
        ] {
            assert_eq!(update(world, asked).await, expected, "{asked}");
        }
        for asked in ["- DEBUG - -", "Text - INFO -"] {
            let refused = world.refused::<UpdateFunctionConfiguration>(update_request(asked)).await;
            assert_eq!(refused.1, NO_LEVELS, "{asked}");
        }
        let publish = || PublishVersionRequest { function_name: "hello".into(), ..Default::default() };
        let first = world.call::<PublishVersion>(publish()).await.expect("published");
        update(world, "JSON - - -").await;
        let second = world.call::<PublishVersion>(publish()).await.expect("published");
        assert_eq!((first.version.as_deref(), second.version.as_deref()), (Some("1"), Some("2")));
        assert_eq!(shown(second.logging_config), "JSON INFO INFO /aws/lambda/hello");
    });
}

/// The variables of an invocation, and its log.
async fn invoke(world: &World, prints: &str) -> (Value, Vec<String>) {
    let request = InvocationRequest {
        function_name: "hello".into(),
        payload: Some(json!(prints).to_string().into_bytes().into()),
        log_type: Some(LogType::Tail),
        ..InvocationRequest::default()
    };
    let response = world.call::<Invoke>(request).await.expect("it runs");
    let log = STANDARD.decode(response.log_result.expect("a log")).expect("base64");
    let log = String::from_utf8(log).expect("text").lines().map(str::to_owned).collect();
    (serde_json::from_slice(&response.payload.expect("an answer")).expect("JSON"), log)
}

#[test]
fn environments_are_told_of_their_log() {
    story("log-variables", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let (text, _) = invoke(world, "").await;
        assert_eq!(
            (&text["AWS_LAMBDA_LOG_FORMAT"], &text["AWS_LAMBDA_LOG_LEVEL"]),
            (&json!("Text"), &Value::Null)
        );
        update(world, "JSON WARN - all").await;
        let (told, _) = invoke(world, "").await;
        assert_eq!(told["AWS_LAMBDA_LOG_FORMAT"], "JSON");
        assert_eq!(told["AWS_LAMBDA_LOG_LEVEL"], "WARN");
        assert_eq!(told["AWS_LAMBDA_LOG_GROUP_NAME"], "all");
        let stream = told["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().expect("a name");
        let hex = stream.strip_prefix("2026/01/01/hello[$LATEST]").expect("the function's name is in it");
        assert!(hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()), "{stream}");
    });
}

#[test]
fn what_is_told_of_invocations_has_the_log_s_format_and_level() {
    story("log-lines", async |world| {
        let line =
            |level| format!(r#"{{"timestamp":"2026-01-01T00:00:00Z","level":"{level}","message":"m"}}"#);
        let prints = format!("plain\n{}\n{}\n", line("DEBUG"), line("ERROR"));
        world.call::<CreateFunction>(create("hello", "JSON - - -")).await.expect("made");
        let kinds = |log: Vec<String>| {
            let kind = |line: &String| match serde_json::from_str::<Value>(line) {
                Ok(line) => {
                    line.get("type").or(line.get("level")).expect("a kind").as_str().unwrap().to_owned()
                }
                Err(_) => line.clone(),
            };
            log.iter().map(kind).collect::<Vec<_>>().join(" ")
        };
        let (_, log) = invoke(world, &prints).await;
        let report: Value = serde_json::from_str(log.last().expect("lines")).expect("JSON");
        assert_eq!(report["record"]["status"], "success");
        assert_eq!(report["record"]["metrics"]["memorySizeMB"], 128);
        assert_eq!(kinds(log), "platform.start plain ERROR platform.report");
        for (asked, expected) in [
            (
                "JSON DEBUG DEBUG -",
                "platform.initStart platform.initRuntimeDone platform.initReport platform.start plain DEBUG ERROR \
                 platform.runtimeDone platform.report",
            ),
            ("JSON ERROR WARN -", "ERROR"),
            ("JSON FATAL INFO -", "platform.start platform.report"),
        ] {
            update(world, asked).await;
            assert_eq!(kinds(invoke(world, &prints).await.1), expected, "{asked}");
        }
    });
}
