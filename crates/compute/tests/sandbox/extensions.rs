//! Extensions, external and internal: what they are told, who waits for whom, and how they go.

use std::sync::Arc;
use std::time::Duration;

use apus_compute::Level;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::freezing::until_frozen;
use crate::rig::{Function, Ports, Rig, json, write_program};
use crate::shared::has_landlock;
use crate::telemetry::until_told;
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_external_extension_starts_first_and_is_told_of_everything", external),
        trial("an_internal_extension_is_told_of_invocations_only", internal),
        trial("who_invokes_does_not_wait_for_extensions", slower_than_the_runtime),
        trial("an_extension_that_takes_too_long_ends_the_environment", too_long),
        trial("a_frozen_environment_is_thawed_so_that_extensions_hear_of_its_end", frozen),
        trial("extensions_are_told_why_an_environment_ends", reasons),
        trial("without_namespaces_extensions_run_all_the_same", shared),
        trial(
            "without_namespaces_telemetry_leads_to_the_function_s_own_ports_only",
            shared_without_a_way_out,
        ),
    ]
}

/// The extension of `extension.py`.
pub(crate) const EXTENSION: &str = include_str!("extension.py");

/// Returns what the extensions named in the event have noted, and what the function knew when it was loaded.
pub(crate) const READER: &str = "\
import json, os
def read(name):
    try:
        with open(os.path.join(os.environ.get('TMPDIR', '/tmp'), name)) as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []
at_import = {name: read(name) for name in os.environ.get('NAMES', '').split()}
def handler(event, context):
    print('handler prints', event.get('print', ''))
    if event.get('exit'):
        os._exit(9)
    if event.get('hang'):
        while True: pass
    return {
        'notes': {name: read(name) for name in event.get('read', [])},
        'at_import': at_import,
        'request_id': context.aws_request_id,
    }
";

/// Says when it is asked to end.
pub(crate) const ASKED: &str = "\
import os, signal
def asked(*_):
    os.write(1, b'the runtime is asked to end\\n')
    os._exit(0)
signal.signal(signal.SIGTERM, asked)
";

/// A function with these extensions, each of which does what its part of `wishes` says.
pub(crate) fn with_extensions(rig: &Rig, name: &str, code: &str, wishes: &Value) -> (Function, Arc<Ports>) {
    let layer = rig.directory.join(format!("{name}-layer"));
    let names: Vec<&String> = wishes.as_object().expect("by name").keys().collect();
    for name in &names {
        write_program(&layer, &format!("extensions/{name}"), EXTENSION.as_bytes(), 0o755);
    }
    let ports = Arc::new(Ports::default());
    let told: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let function = rig.python(name, code).with(|spec| {
        spec.layer_dirs = vec![layer];
        spec.memory_mb = 256;
        spec.ports = ports.clone();
        spec.variables = vec![("DO".into(), wishes.to_string()), ("NAMES".into(), told.join(" "))];
    });
    (function, ports)
}

/// What an extension noted of a kind, in order.
pub(crate) fn notes(value: &Value, name: &str, kind: &str) -> Vec<Value> {
    let notes = value["notes"][name].as_array().expect("a list");
    notes.iter().filter(|note| note[0] == kind).map(|note| note[1].clone()).collect()
}

async fn external() {
    let rig = Rig::start("extensions-external");
    let wishes = json!({ "first": {}, "second": { "events": ["SHUTDOWN"] } });
    let code = format!("{ASKED}{READER}");
    let (function, ports) = with_extensions(&rig, "external", &code, &wishes);
    let outcome = rig.invoke(&function, r#"{"read": []}"#).await.finished().await;
    let early = json(&outcome);
    for name in ["first", "second"] {
        let registered = &early["at_import"][name][0];
        assert_eq!(registered[0], "registered", "{early}");
        assert_eq!(registered[1], 200, "{registered}");
        let told = json!({
            "functionName": "external",
            "functionVersion": "$LATEST",
            "handler": "app.handler",
            "accountId": "000000000000",
        });
        assert_eq!(registered[2], told);
    }
    for line in [
        "EXTENSION\tName: first\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
        "EXTENSION\tName: second\tState: Ready\tEvents: [SHUTDOWN]",
        "first starts",
        "second starts",
        "handler prints ",
        "first is told INVOKE ",
    ] {
        assert!(outcome.log.lines().any(|found| found == line), "{line}\n{}", outcome.log);
    }
    assert!(!outcome.log.contains("second is told"), "{}", outcome.log);
    let report = outcome.log.lines().last().expect("a report");
    assert!(report.starts_with("REPORT RequestId: "), "{}", outcome.log);

    let value = rig.value(&function, r#"{"read": ["first", "second"]}"#).await;
    let events = notes(&value, "first", "event");
    assert_eq!(events[0]["requestId"], early["request_id"]);
    assert_eq!(events[0]["eventType"], "INVOKE");
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:external";
    assert_eq!(events[0]["invokedFunctionArn"], arn);
    assert!(events[0]["deadlineMs"].as_u64().is_some_and(|at| at > 1_500_000_000_000), "{}", events[0]);
    rig.compute.stop().await;
    ports.lines.heard("the runtime is asked to end").await;
    for name in ["first", "second"] {
        ports.lines.heard(&format!("{name} is told SHUTDOWN spindown")).await;
    }
    rig.stop().await;
}

/// An internal extension, in a thread of the runtime.
const INTERNAL: &str = "\
import json, os, threading, urllib.error, urllib.request
API = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension/'
def call(method, path, body=None, headers={}):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(API + path, data, headers, method=method)) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, {}, json.loads(error.read())
def register(name, events):
    return call('POST', 'register', {'events': events}, {'Lambda-Extension-Name': name})
refused = register('shut', ['INVOKE', 'SHUTDOWN'])
status, headers, _ = register('inner', ['INVOKE'])
twice = register('inner', ['INVOKE'])
told = []
def run():
    identifier = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
    while True:
        told.append(call('GET', 'event/next', None, identifier)[2]['requestId'])
threading.Thread(target=run, daemon=True).start()
def handler(event, context):
    late = register('late', ['INVOKE'])
    return [refused[0], refused[2]['errorType'], status, twice[2]['errorType'], late[0], late[2]['errorType'], told]
";

async fn internal() {
    let rig = Rig::start("extensions-internal");
    let ports = Arc::new(Ports::default());
    let code = format!("{ASKED}{INTERNAL}");
    let function = rig.python("internal", &code).with(|spec| spec.ports = ports.clone());
    let first = rig.invoke(&function, "1").await.finished().await;
    let line = "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]";
    assert!(first.log.lines().any(|found| found == line), "{}", first.log);
    let value = rig.value(&function, "2").await;
    assert_eq!(
        value.as_array().expect("a list")[..6],
        [
            json!(403),
            json!("Extension.InvalidEventType"),
            json!(200),
            json!("Extension.AlreadyRegistered"),
            json!(403),
            json!("Extension.RegistrationClosed"),
        ]
    );
    assert!(!value[6].as_array().expect("a list").is_empty(), "{value}");
    rig.compute.stop().await;
    ports.lines.heard("the runtime is asked to end").await;
    rig.stop().await;
}

/// Accepts who waits for the test, and reads its word.
pub(crate) async fn who_waits(ports: &Ports) -> (String, TcpStream) {
    let listener = {
        let listeners = ports.listeners.lock().expect("no test panics here");
        let endpoint = &listeners.last().expect("an environment stands").endpoint;
        endpoint.try_clone().expect("it is open")
    };
    let listener = TcpListener::from_std(listener).expect("it does not block");
    let (mut stream, _) = listener.accept().await.expect("somebody waits");
    let mut word = Vec::new();
    while word.last() != Some(&b'\n') {
        word.push(stream.read_u8().await.expect("a word"));
    }
    (String::from_utf8(word).expect("text").trim().to_owned(), stream)
}

async fn slower_than_the_runtime() {
    let rig = Rig::start("extensions-slower");
    let (function, ports) = with_extensions(&rig, "slower", READER, &json!({ "slow": { "waits": true } }));
    let outcome = rig.invoke(&function, "{}").await;
    let (word, mut stream) = who_waits(&ports).await;
    assert_eq!(word, "slow");
    // It has its answer, while the extension is at work.
    assert!(outcome.unfinished.is_some() && outcome.function_error.is_none());
    assert!(!outcome.log.contains("REPORT"), "{}", outcome.log);
    // The environment is not free: who comes now waits for it.
    let second = rig.try_invoke(&function, r#"{"read": ["slow"]}"#);
    let release = async {
        stream.write_all(b".").await.expect("it waits");
        let whole = outcome.clone().finished().await;
        let (_, mut stream) = who_waits(&ports).await;
        stream.write_all(b".").await.expect("it waits");
        whole
    };
    let (second, whole) = tokio::join!(second, release);
    assert_eq!(second.expect("it runs").cold, None, "the same environment");
    assert!(whole.log.lines().last().is_some_and(|line| line.starts_with("REPORT")), "{}", whole.log);
    assert!(whole.duration > outcome.duration && whole.billed_ms >= outcome.billed_ms);
    rig.stop().await;
}

async fn too_long() {
    let rig = Rig::start("extensions-too-long");
    let (function, ports) = with_extensions(&rig, "long", READER, &json!({ "long": { "hangs": true } }));
    let function = function.with(|spec| spec.timeout = Duration::from_secs(1));
    let outcome = rig.invoke(&function, "{}").await;
    assert_eq!(outcome.function_error, None, "the runtime has answered");
    let whole = outcome.finished().await;
    assert!(whole.log.contains("Task timed out after 1.00 seconds"), "{}", whole.log);
    let report = whole.log.lines().last().expect("a report");
    assert!(report.starts_with("REPORT") && report.ends_with("Status: timeout"), "{report}");
    ports.lines.heard("long is told INVOKE ").await;
    rig.until_idle().await;
    let again = rig.invoke(&function, "{}").await;
    assert!(again.cold.is_some());
    rig.stop().await;
}

async fn frozen() {
    let rig = Rig::start("extensions-frozen");
    let wishes = json!({ "told": { "subscriptions": [{}] } });
    let (function, ports) = with_extensions(&rig, "frozen", READER, &wishes);
    rig.invoke(&function, "{}").await.finished().await;
    until_frozen(&rig).await;
    // While it is frozen nothing is delivered, and nothing given up for that.
    let value = rig.value(&function, r#"{"read": ["told"]}"#).await;
    assert!(!notes(&value, "told", "telemetry").is_empty());
    until_frozen(&rig).await;
    rig.compute.retire(&function.0.key);
    ports.lines.heard("told is told SHUTDOWN spindown").await;
    rig.stop().await;
}

async fn reasons() {
    let rig = Rig::start("extensions-reasons");
    for (event, error_type, reason) in [
        (r#"{"hang": true}"#, "Sandbox.Timedout", "timeout"),
        (r#"{"exit": true}"#, "Runtime.ExitError", "failure"),
    ] {
        // One that stays is killed in the end.
        let wishes = json!({ "told": {}, "stays": { "stays": true }, "deaf": { "events": [] } });
        let (function, ports) = with_extensions(&rig, reason, READER, &wishes);
        let function = function.with(|spec| spec.timeout = Duration::from_secs(3));
        rig.error(&function, event, error_type).await;
        ports.lines.heard(&format!("told is told SHUTDOWN {reason}")).await;
        ports.lines.heard(&format!("stays is told SHUTDOWN {reason}")).await;
        rig.until_idle().await;
    }
    rig.stop().await;
}

async fn shared() {
    for level in [Level::Container, Level::None] {
        if level == Level::Container && !has_landlock() {
            continue;
        }
        let rig = Rig::configured(&format!("extensions-{level}"), |config| {
            config.accept_isolation = level;
            config.isolation_max = Some(level);
            config.egress = Some(apus_compute::EgressRules::default());
        });
        let wishes = json!({ "one": { "subscriptions": [{ "host": "127.0.0.1" }] } });
        let (function, ports) = with_extensions(&rig, "shared", READER, &wishes);
        let function = function.with(|spec| spec.memory_mb = 1024);
        let outcome = rig.invoke(&function, "{}").await.finished().await;
        assert_eq!(outcome.function_error, None, "{}", outcome.log);
        assert!(outcome.log.contains("one is told INVOKE"), "{}", outcome.log);
        until_told(&rig, &function, "one", "platform.report success").await;
        rig.compute.stop().await;
        ports.lines.heard("one is told SHUTDOWN spindown").await;
        rig.stop().await;
    }
}

async fn shared_without_a_way_out() {
    if !has_landlock() {
        return;
    }
    let rig = Rig::configured("extensions-closed", |config| {
        config.accept_isolation = Level::Container;
        config.isolation_max = Some(Level::Container);
    });
    // What another user of the host listens at is none of the function's business.
    let outside = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    outside.set_nonblocking(true).expect("it can be asked");
    let port = outside.local_addr().expect("it has one").port();
    let wishes = json!({ "one": { "subscriptions": [{ "host": "127.0.0.1", "port": port }] } });
    let (function, _ports) = with_extensions(&rig, "closed", READER, &wishes);
    let function = function.with(|spec| spec.memory_mb = 1024);
    for _ in 0..3 {
        rig.invoke(&function, "{}").await.finished().await;
    }
    rig.stop().await;
    let nobody = outside.accept().expect_err("somebody connected");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}
