//! What becomes of invocations: responses, errors, ends of all kinds.

use std::sync::Arc;
use std::time::Duration;

use apus_compute::{InvokeError, LogFormat, LogLevel, REQUEST_BYTES_MAX};
use libtest_mimic::Trial;
use serde_json::json;

use crate::leftovers::{wait_for, watch};
use crate::rig::{self, Ports, Rig, json as payload, write_code};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_handler_answers_and_its_prints_are_logged", answers_and_logs),
        trial("an_environment_is_used_again", used_again),
        trial("another_revision_gets_another_environment", another_revision),
        trial("exceptions_are_reported_as_aws_does", exceptions),
        trial("broken_functions_say_what_is_broken", broken_functions),
        trial("a_runtime_that_exits_is_an_exit_error", exits),
        trial("a_timeout_ends_the_environment_but_not_the_function", timeouts),
        trial("memory_is_bounded", memory),
        trial("scratch_space_is_besides_memory", scratch),
        trial("hard_processor_limits_hold_on_an_idle_host", hard_limits),
        trial("a_program_for_another_processor_is_refused_by_name", foreign_program),
        trial("payloads_up_to_their_limits_pass", payload_limits),
        trial("the_context_is_complete", context),
        trial("variables_are_aws_s_and_the_function_s_own", variables),
        trial("logging_has_aws_s_format", logging),
        trial("init_output_and_slow_lines_reach_the_log", output),
        trial("two_functions_run_in_parallel", parallel),
        trial("a_burst_queues_for_few_environments", burst),
        trial("idle_environments_go", idle),
        trial("processor_weight_follows_memory_after_the_start", weight),
        trial("layers_and_nested_handlers_are_found", layers),
        trial("a_missing_runtime_says_what_to_install", missing_runtime),
        trial("every_python_of_the_host_runs_and_fails_alike", every_python),
    ]
}

async fn answers_and_logs() {
    let rig = Rig::start("answers_and_logs");
    let hello = rig.python(
        "hello",
        "def handler(event, context):\n    print('greeting')\n    return {'hello': event['name']}\n",
    );
    let outcome = rig.invoke(&hello, r#"{"name": "swift"}"#).await;
    assert_eq!(payload(&outcome), json!({"hello": "swift"}), "{}", outcome.log);
    let lines: Vec<&str> = outcome.log.lines().collect();
    let [start, greeting, end, report] = lines[..] else { panic!("{lines:?}") };
    assert!(start.starts_with("START RequestId: ") && start.ends_with(" Version: $LATEST"), "{start}");
    assert_eq!(greeting, "greeting");
    assert!(end.starts_with("END RequestId: "), "{end}");
    for part in [
        "REPORT RequestId: ",
        "\tDuration: ",
        "\tBilled Duration: ",
        "\tMemory Size: 128 MB\t",
        "Init Duration: ",
    ] {
        assert!(report.contains(part), "{report}");
    }
    assert!(outcome.memory_max_bytes > 1024 * 1024, "{report}");
    assert!(
        u128::from(outcome.billed_ms) >= outcome.init_duration.expect("it was cold").as_millis(),
        "{report}"
    );
    rig.stop().await;
}

async fn used_again() {
    let rig = Rig::start("used_again");
    let count = rig.python(
        "count",
        "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n",
    );
    for expected in 1..=5 {
        let outcome = rig.invoke(&count, "{}").await;
        assert_eq!(payload(&outcome), expected);
        assert_eq!(outcome.cold.is_some(), expected == 1);
        assert_eq!(outcome.init_duration.is_some(), expected == 1);
    }
    rig.stop().await;
}

async fn another_revision() {
    let rig = Rig::start("another_revision");
    let count = rig.python(
        "count",
        "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count\n",
    );
    assert_eq!(rig.value(&count, "{}").await, 1);
    let changed = count.clone().with(|spec| spec.key.revision = "2".into());
    assert_eq!(rig.value(&changed, "{}").await, 1);
    assert_eq!(rig.value(&count, "{}").await, 2);
    rig.compute.retire(&count.0.key);
    assert_eq!(rig.value(&count, "{}").await, 1, "a retired environment serves nobody");
    assert_eq!(rig.value(&changed, "{}").await, 2);
    rig.stop().await;
}

async fn exceptions() {
    let rig = Rig::start("exceptions");
    let fails = rig.python(
        "fails",
        "def inner(event):\n    raise ValueError('no swift ' + event['name'])\n\ndef handler(event, context):\n    if event.get('name'):\n        inner(event)\n    return {1, 2}\n",
    );
    let (error, outcome) = rig.error(&fails, r#"{"name": "here"}"#, "ValueError").await;
    assert_eq!(error["errorMessage"], "no swift here");
    assert!(error["requestId"].as_str().is_some_and(|id| id.len() == 36), "{error}");
    assert_eq!(
        error["stackTrace"],
        json!([
            "  File \"/var/task/app.py\", line 6, in handler\n    inner(event)\n",
            "  File \"/var/task/app.py\", line 2, in inner\n    raise ValueError('no swift ' + event['name'])\n",
        ])
    );
    assert!(
        outcome.log.contains("[ERROR] ValueError: no swift here\nTraceback (most recent call last):\n  File")
    );
    // It lives on: an exception is no end.
    let (error, outcome) = rig.error(&fails, "{}", "Runtime.MarshalError").await;
    assert_eq!(
        error["errorMessage"],
        "Unable to marshal response: Object of type set is not JSON serializable"
    );
    assert_eq!(outcome.cold, None);
    rig.stop().await;
}

async fn broken_functions() {
    let rig = Rig::start("broken_functions");
    let cases = [
        (
            "import_error",
            "import swifts_of_the_world\n",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'swifts_of_the_world'",
        ),
        (
            "no_module",
            "",
            "nest.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'nest': No module named 'nest'",
        ),
        (
            "no_handler",
            "x = 1\n",
            "app.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        (
            "syntax_error",
            "def handler(event, context)\n    pass\n",
            "app.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': ",
        ),
        (
            "bad_handler",
            "",
            "handler",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        ("raises", "raise KeyError('early')\n", "app.handler", "KeyError", "'early'"),
    ];
    for (name, code, handler, error_type, message) in cases {
        let function = rig.python(name, code).with(|spec| spec.handler = handler.into());
        let (error, outcome) = rig.error(&function, "{}", error_type).await;
        // How a parser complains differs from version to version.
        let text = error["errorMessage"].as_str().unwrap_or_default();
        assert!(text == message || message.ends_with(": ") && text.starts_with(message), "{text}");
        assert_eq!(error["requestId"].as_str().map(str::len), Some(36), "{error}");
        assert!(outcome.log.contains(&format!("Error Type: {error_type}\nSTART")), "{}", outcome.log);
        assert!(outcome.log.contains(&format!("[ERROR] {error_type}: ")), "{}", outcome.log);
    }
    rig.stop().await;
}

async fn exits() {
    let rig = Rig::start("exits");
    let exits = rig.python(
        "exits",
        "import os, sys\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    print('doing', event)\n    exec(event)\n    return count\n",
    );
    let cases = [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("exit(4)", "Runtime exited with error: exit status 4"),
        ("os._exit(5)", "Runtime exited with error: exit status 5"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ];
    for (code, message) in cases {
        let (error, outcome) = rig.error(&exits, &json!(code).to_string(), "Runtime.ExitError").await;
        let text = error["errorMessage"].as_str().unwrap_or_default();
        assert!(
            text.starts_with("RequestId: ") && text.ends_with(&format!(" Error: {message}")),
            "{code}: {text}"
        );
        assert!(outcome.log.contains(&format!("doing {code}\n")), "{}", outcome.log);
        assert!(outcome.log.contains("Status: error\tError Type: Runtime.ExitError"), "{}", outcome.log);
        assert_eq!(rig.value(&exits, r#""pass""#).await, 1, "the next one starts anew");
    }
    let early = rig.python("early", "import sys\nprint('going')\nsys.exit(7)\n");
    let (error, outcome) = rig.error(&early, "{}", "Runtime.ExitError").await;
    assert!(error["errorMessage"].as_str().is_some_and(|text| text.ends_with("exit status 7")), "{error}");
    assert!(outcome.log.starts_with("going\nINIT_REPORT "), "{}", outcome.log);
    rig.stop().await;
}

async fn timeouts() {
    let rig = Rig::start("timeouts");
    let slow = rig
        .python(
            "slow",
            "import time\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    print('waiting', flush=True)\n    time.sleep(event)\n    return count\n",
        )
        .with(|spec| spec.timeout = Duration::from_secs(1));
    let (error, outcome) = rig.error(&slow, "60", "Sandbox.Timedout").await;
    let text = error["errorMessage"].as_str().unwrap_or_default();
    assert!(text.ends_with(" Error: Task timed out after 1.00 seconds"), "{text}");
    assert!(outcome.duration >= Duration::from_secs(1));
    assert!(outcome.log.contains("waiting\n"), "{}", outcome.log);
    assert!(outcome.log.contains(" Task timed out after 1.00 seconds\n"), "{}", outcome.log);
    assert!(outcome.log.trim_end().ends_with("Status: timeout"), "{}", outcome.log);
    assert_eq!(rig.value(&slow, "0").await, 1);
    rig.stop().await;
}

async fn memory() {
    let rig = Rig::start("memory");
    let eats = rig.python(
        "eats",
        "import os\ndef handler(event, context):\n    if event['child'] and os.fork():\n        os.wait()\n        return 'the child died alone'\n    swallowed = bytearray(event['mb'] * 1024 * 1024)\n    for at in range(0, len(swallowed), 4096):\n        swallowed[at] = 1\n    return len(swallowed)\n",
    );
    assert_eq!(rig.value(&eats, r#"{"mb": 64, "child": false}"#).await, 64 * 1024 * 1024);
    for child in [false, true] {
        let event = json!({"mb": 256, "child": child}).to_string();
        let (error, outcome) = rig.error(&eats, &event, "Runtime.OutOfMemory").await;
        let text = error["errorMessage"].as_str().unwrap_or_default();
        assert!(text.ends_with("Runtime exited with error: signal: killed"), "{text}");
        assert_eq!(outcome.memory_max_bytes, 128 * 1024 * 1024);
    }
    assert_eq!(rig.value(&eats, r#"{"mb": 1, "child": false}"#).await, 1024 * 1024);
    rig.stop().await;
}

async fn scratch() {
    let rig = Rig::start("scratch");
    let writes = rig
        .python(
            "writes",
            "import os\ndef handler(event, context):\n    if event.get('remove'):\n        os.unlink('/tmp/file')\n    with open('/tmp/file', 'ab', buffering=0) as file:\n        for _ in range(event.get('files', 0)):\n            file.write(bytes(1 << 20))\n    kept = bytearray(event.get('memory', 0) << 20)\n    for at in range(0, len(kept), 4096):\n        kept[at] = 1\n    return os.stat('/tmp/file').st_size >> 20\n",
        )
        .with(|spec| {
            spec.tmp_mb = 512;
            spec.timeout = Duration::from_mins(2);
        });
    if !rig::scratch_is_besides_memory() {
        eprintln!("*** SKIPPED: control groups of version 1, or none, count scratch space as memory ***");
        return rig.stop().await;
    }
    // More files than memory, then memory beside them, and files again.
    assert_eq!(rig.value(&writes, r#"{"files": 160}"#).await, 160);
    assert_eq!(rig.value(&writes, r#"{"memory": 64, "files": 40}"#).await, 200);
    assert_eq!(rig.value(&writes, r#"{"remove": true, "files": 100, "memory": 64}"#).await, 100);
    let outcome = rig.invoke(&writes, r#"{"memory": 1}"#).await;
    assert_eq!((outcome.cold.as_ref(), outcome.memory_max_bytes <= 128 << 20), (None, true));
    // The room of files is none for memory, not even after they are gone.
    let hoards = r#"{"remove": true, "files": 0, "memory": 400}"#;
    assert_eq!(rig.value(&writes, r#"{"files": 100}"#).await, 200);
    rig.error(&writes, hoards, "Runtime.OutOfMemory").await;
    assert_eq!(rig.value(&writes, r#"{"files": 160}"#).await, 160);
    let (error, _) = rig.error(&writes, r#"{"memory": 250}"#, "Runtime.OutOfMemory").await;
    assert!(error["errorMessage"].as_str().is_some_and(|text| text.ends_with("signal: killed")), "{error}");
    let (error, _) = rig.error(&writes, r#"{"files": 100, "memory": 250}"#, "Runtime.OutOfMemory").await;
    assert!(error["errorMessage"].as_str().is_some_and(|text| text.ends_with("signal: killed")), "{error}");
    rig.stop().await;
}

async fn hard_limits() {
    const BURN: &str = "import time\ndef handler(event, context):\n    used, begun = time.process_time(), time.monotonic()\n    while time.process_time() - used < 0.05:\n        pass\n    return time.monotonic() - begun\n";
    let rig = Rig::configured("hard_limits", |config| config.hard_cpu_limits = true);
    let burn = rig.python("burn", BURN).with(|spec| spec.timeout = Duration::from_mins(1));
    // 72 thousandths of a processor: 50 ms of it last at least 600, whatever else runs here; without a limit it
    // would be 50 where nothing else runs.
    let lasted = rig.value(&burn, "{}").await.as_f64().unwrap_or_default();
    assert!(lasted > 0.5, "{lasted} s");
    rig.stop().await;
}

async fn foreign_program() {
    // A Python of its own, whose program is for another processor.
    let prefix = rig::directory("foreign_prefix");
    let mut head = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\0\0";
    let (machine, name) = if cfg!(target_arch = "aarch64") { (243, "riscv64") } else { (183, "aarch64") };
    head[18] = machine;
    write_code(&prefix, "lib/python3.11/os.py", "");
    write_code(&prefix, "bin/python3.11", "");
    let program = prefix.join("bin/python3.11");
    std::fs::write(&program, [&head[..], &[0; 100]].concat()).expect("the directory is ours");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it is ours");
    let rig = Rig::configured("foreign", |config| config.interpreters.directories = vec![prefix.join("bin")]);
    let function = rig.python("function", "");
    let (error, _) = rig.error(&function, "{}", "Runtime.InvalidEntrypoint").await;
    let text = error["errorMessage"].as_str().unwrap_or_default();
    let wanted = format!("is built for {name}, and this host is {}", std::env::consts::ARCH);
    assert!(text.contains(&wanted), "{text}");
    rig.stop().await;
}

async fn payload_limits() {
    let rig = Rig::start("payload_limits");
    let big = rig
        .python(
            "big",
            "def handler(event, context):\n    return len(event) if isinstance(event, str) else 'x' * event\n",
        )
        .with(|spec| spec.memory_mb = 256);
    let largest = "y".repeat(REQUEST_BYTES_MAX - 2);
    assert_eq!(rig.value(&big, &format!("\"{largest}\"")).await, REQUEST_BYTES_MAX - 2);
    let error = rig.try_invoke(&big, &format!("\"{largest}y\"")).await.expect_err("one byte too many");
    assert_eq!(error, InvokeError::TooLarge(REQUEST_BYTES_MAX + 1));
    let response = rig.value(&big, "6291554").await;
    assert_eq!(response.as_str().map(str::len), Some(6_291_554));
    for size in [6_291_555, 20_000_000] {
        let (error, outcome) = rig.error(&big, &size.to_string(), "Function.ResponseSizeTooLarge").await;
        assert_eq!(
            error["errorMessage"],
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        );
        assert_eq!(outcome.cold, None, "the environment lives on");
    }
    assert_eq!(rig.value(&big, r#""z""#).await, 1);
    rig.stop().await;
}

async fn context() {
    let rig = Rig::start("context");
    let asks = rig.python(
        "asks",
        "def handler(event, context):\n    known = {name: value for name, value in vars(context).items() if not callable(value)}\n    known['remaining'] = context.get_remaining_time_in_millis()\n    known['identity'] = [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]\n    client = context.client_context\n    known['client_context'] = [client.custom, client.env, client.client.app_title]\n    return known\n",
    );
    let request = apus_compute::InvokeRequest {
        request_id: "11111111-2222-3333-4444-555555555555".into(),
        invoked_arn: Some(format!("{}:live", asks.0.arn)),
        payload: "{}".into(),
        trace_id: Some("Root=1-5759e988-bd862e3fe1be46a994272793".into()),
        client_context: Some(
            r#"{"custom": {"a": "b"}, "env": {"c": "d"}, "client": {"app_title": "Nest"}}"#.into(),
        ),
        cognito_identity: Some(r#"{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}"#.into()),
        response_stream: None,
    };
    let outcome = rig.compute.invoke(asks.0.clone(), request).await.expect("it runs");
    let known = payload(&outcome);
    let remaining = known["remaining"].as_u64().unwrap_or_default();
    assert!((1..=10_000).contains(&remaining), "{known}");
    for (name, expected) in [
        ("aws_request_id", json!("11111111-2222-3333-4444-555555555555")),
        ("function_name", json!("asks")),
        ("function_version", json!("$LATEST")),
        ("memory_limit_in_mb", json!("128")),
        ("invoked_function_arn", json!("arn:aws:lambda:eu-central-1:000000000000:function:asks:live")),
        ("log_group_name", json!("/aws/lambda/asks")),
        ("log_stream_name", json!("2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef")),
        ("identity", json!(["id", "pool"])),
        ("client_context", json!([{"a": "b"}, {"c": "d"}, "Nest"])),
    ] {
        assert_eq!(known[name], expected, "{name}: {outcome:?}");
    }
    rig.stop().await;
}

async fn variables() {
    let rig = Rig::start("variables");
    let tells = rig
        .python("tells", "import os, sys\ndef handler(event, context):\n    return [dict(os.environ), sys.path, os.getcwd()]\n")
        .with(|spec| {
            spec.variables = [("NEST", "eaves = \u{fc}"), ("AWS_REGION", "mars-1"), ("PYTHONPATH", "/var/task/more")]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec();
        });
    let told = rig.value(&tells, "{}").await;
    for (name, expected) in [
        ("NEST", "eaves = \u{fc}"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_LAMBDA_FUNCTION_NAME", "tells"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("_HANDLER", "app.handler"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(told[0][name], expected, "{name}");
    }
    assert_eq!(told[0]["HOME"], serde_json::Value::Null, "nothing of the host's");
    assert_eq!(told[1][0], "/var/task");
    assert!(told[1].as_array().is_some_and(|path| path.contains(&json!("/var/task/more"))), "{told}");
    assert_eq!(told[2], "/var/task");
    rig.stop().await;
}

async fn logging() {
    let rig = Rig::start("logging");
    let logs = rig.python(
        "logs",
        "import logging\nlogger = logging.getLogger()\nlogger.setLevel('INFO')\nlogging.basicConfig(format='never')\ndef handler(event, context):\n    logger.info('on the %s', 'wing')\n    logger.debug('unheard')\n    print(context.aws_request_id)\n",
    );
    let outcome = rig.invoke(&logs, "{}").await;
    let id = outcome.log.split_whitespace().nth(2).expect("START RequestId: <id>").to_owned();
    let line = outcome.log.lines().find(|line| line.contains("on the wing")).expect("it was logged");
    let parts: Vec<&str> = line.split('\t').collect();
    let [level, time, request_id, message] = parts[..] else { panic!("{line}") };
    assert_eq!((level, request_id, message), ("[INFO]", &*id, "on the wing"));
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    assert!(!outcome.log.contains("unheard") && !outcome.log.contains("never"), "{}", outcome.log);
    let as_json = logs.with(|spec| {
        spec.key.revision = "2".into();
        spec.log_format = LogFormat::Json { application: LogLevel::Info, system: LogLevel::Warn };
    });
    let outcome = rig.invoke(&as_json, "{}").await;
    let lines: Vec<&str> = outcome.log.lines().collect();
    let [line, id] = lines[..] else { panic!("{}", outcome.log) };
    let entry: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    assert_eq!((&entry["level"], &entry["message"]), (&json!("INFO"), &json!("on the wing")));
    assert_eq!((&entry["logger"], &entry["requestId"]), (&json!("root"), &json!(id)));
    let time = entry["timestamp"].as_str().expect("a time");
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    rig.stop().await;
}

async fn output() {
    let rig = Rig::start("output");
    let writes = rig.python(
        "writes",
        "import os, sys\nprint('at the start')\ndef handler(event, context):\n    print('out')\n    print('err', file=sys.stderr)\n    os.write(1, b'raw \\xff\\n')\n    os.system('echo from a shell')\n    print('x' * event)\n    print('no end', end='')\n",
    );
    let outcome = rig.invoke(&writes, "10").await;
    let log = &outcome.log;
    assert!(log.starts_with("at the start\nSTART "), "{log}");
    assert!(log.contains("\nout\nerr\nraw \u{fffd}\nfrom a shell\nxxxxxxxxxx\nno end\nEND "), "{log}");
    // Far more than a pipe holds, and more than is kept.
    let outcome = rig.invoke(&writes, "3000000").await;
    assert!(
        outcome.log.len() <= 256 * 1024 && outcome.log.contains("xxxx\nno end\nEND "),
        "{}",
        outcome.log.len()
    );
    rig.stop().await;
}

async fn parallel() {
    let rig = Rig::start("parallel");
    let ports = Arc::new(Ports::default());
    let waits =
        "import time\ndef handler(event, context):\n    print('running', event)\n    time.sleep(600)\n";
    let [one, two] = ["one", "two"].map(|name| {
        rig.python(name, waits).with(|spec| {
            spec.ports = ports.clone();
            spec.timeout = Duration::from_mins(1);
        })
    });
    let all_run = async {
        for event in 1..=3 {
            ports.lines.heard(&format!("running {event}")).await;
        }
    };
    tokio::select! {
        () = all_run => {}
        _ = async { tokio::join!(rig.invoke(&one, "1"), rig.invoke(&two, "2"), rig.invoke(&one, "3")) } => {
            panic!("they end before they all run");
        }
    }
    rig.stop().await;
}

async fn burst() {
    let rig = Rig::configured("burst", |config| config.environments_max = 2);
    let (one, two) = (
        rig.python("one", "import os\ndef handler(event, context):\n    return event\n"),
        rig.python("two", "import os\ndef handler(event, context):\n    return -event\n"),
    );
    let all = (0..30).map(|n| {
        let (rig, one, two) = (&rig, &one, &two);
        async move {
            let (function, expected) = if n % 3 == 0 { (two, -n) } else { (one, n) };
            assert_eq!(rig.value(function, &n.to_string()).await, expected);
        }
    });
    futures_util::future::join_all(all).await;
    rig.stop().await;
}

async fn idle() {
    let rig = Rig::configured("idle", |config| config.idle_max = Duration::from_millis(200));
    let count = rig.python(
        "count",
        "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count\n",
    );
    assert_eq!(rig.value(&count, "{}").await, 1);
    let inside = watch(&rig.processes());
    assert_eq!(inside.len(), 2, "its first process and its interpreter");
    wait_for(&inside);
    assert_eq!(rig.value(&count, "{}").await, 1);
    rig.stop().await;
}

async fn layers() {
    let rig = Rig::start("layers");
    let nested = rig.python("nested", "").with(|spec| spec.handler = "deep/er/nest.fly".into());
    write_code(
        &nested.0.code_dir,
        "deep/er/nest.py",
        "import feather\ndef fly(event, context):\n    return [feather.colour, open('/opt/both').read(), open('/opt/lower').read()]\n",
    );
    let (lower, upper) = (rig.directory.join("lower"), rig.directory.join("upper"));
    write_code(&lower, "python/feather.py", "colour = 'grey'\n");
    write_code(&lower, "both", "lower");
    write_code(&lower, "lower", "lower");
    write_code(&upper, "both", "upper");
    std::fs::set_permissions(
        nested.0.code_dir.join("deep"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("it is ours");
    let nested = nested.with(|spec| spec.layer_dirs = vec![lower, upper]);
    assert_eq!(rig.value(&nested, "{}").await, json!(["grey", "upper", "lower"]));
    rig.stop().await;
}

async fn missing_runtime() {
    let rig = Rig::configured("missing_runtime", |config| {
        config.interpreters.directories.retain(|directory| !directory.join("python3.9").exists());
    });
    let function = rig.python("any", "def handler(event, context):\n    return 1\n");
    let other = function.clone().with(|spec| spec.runtime = "python3.9".into());
    let outcome = rig.invoke(&other, "{}").await;
    assert_eq!(payload(&outcome), 1);
    assert!(
        outcome.notes[0].contains("python3.9 is not installed; the function runs on python3."),
        "{:?}",
        outcome.notes
    );
    for (runtime, expected) in
        [("cobol", "the runtime `cobol` is not supported"), ("python2.7", "`python2.7` is not supported")]
    {
        let function = function.clone().with(|spec| {
            spec.runtime = runtime.into();
            spec.key.revision = runtime.into();
        });
        let error = rig.try_invoke(&function, "{}").await.expect_err("it cannot run");
        assert!(error.to_string().contains(expected), "{error}");
        let error = rig.compute.prepare(runtime).await.expect_err("it cannot run");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let notes = rig.compute.prepare("python3.9").await.expect("another stands in");
    assert!(notes[0].contains("python3.9 is not installed; the function runs on python3."), "{notes:?}");
    assert_eq!(rig.compute.prepare("provided.al2023").await.expect("it needs nothing"), [""; 0]);
    rig.stop().await;
    let rig = Rig::configured("missing_runtime_2", |config| config.interpreters.directories.clear());
    let function = rig.python("any", "");
    let error = rig.try_invoke(&function, "{}").await.expect_err("there is no interpreter");
    assert!(error.to_string().contains("install python3.11"), "{error}");
    for (runtime, remedy) in [
        ("python3.12", "install python3.12"),
        ("nodejs22.x", "install Node.js 22"),
        ("java21", "install Java 21"),
    ] {
        let error = rig.compute.prepare(runtime).await.expect_err("there is no interpreter");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    rig.stop().await;
}

async fn every_python() {
    let rig = Rig::start("every_python");
    let mut exact = 0;
    for minor in 8..=14 {
        let function = rig
            .python(
                &format!("python3_{minor}"),
                "import sys, logging\ndef handler(event, context):\n    logging.warning('w')\n    print('p')\n    if event:\n        raise KeyError(event)\n    return [sys.version_info[1], 'gr\u{fc}n']\n",
            )
            .with(|spec| spec.runtime = format!("python3.{minor}"));
        let outcome = rig.invoke(&function, "null").await;
        let value = payload(&outcome);
        assert_eq!(value[1], "gr\u{fc}n", "{}", outcome.log);
        assert!(outcome.log.contains("[WARNING]\t") && outcome.log.contains("\nEND "), "{}", outcome.log);
        assert_eq!(value[0] == minor, outcome.notes.is_empty(), "{value} {:?}", outcome.notes);
        exact += u32::from(value[0] == minor);
        let (error, _) = rig.error(&function, "\"x\"", "KeyError").await;
        assert_eq!(error["stackTrace"].as_array().map(Vec::len), Some(1), "{error}");
    }
    assert!(exact > 0);
    rig.stop().await;
}

async fn weight() {
    let rig = Rig::start("weight");
    let waits = "import time\ndef handler(event, context):\n    pass\n";
    for (memory_mb, shares, weight) in [(128, 73, 7), (1769, 1024, 100), (3538, 2048, 200)] {
        let function = rig.python("function", waits).with(|spec| {
            spec.memory_mb = memory_mb;
            spec.key.revision = memory_mb.to_string();
        });
        rig.invoke(&function, "{}").await;
        let expected = [shares.to_string(), weight.to_string()];
        let found = rig.processor_weights();
        assert!(found.iter().any(|found| expected.contains(found)), "{memory_mb} MB: {found:?}");
    }
    rig.stop().await;
}
