//! The Telemetry API and the Logs API: who subscribed is told everything, in order, and nobody waits for who is slow.

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::extensions::{READER, notes, who_waits, with_extensions};
use crate::rig::{Rig, write_program};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_subscriber_is_told_everything_in_order", everything),
        trial("the_logs_api_tells_what_it_did", logs),
        trial("telemetry_goes_to_an_internal_extension_over_tcp", tcp),
        trial("what_a_subscriber_refuses_is_lost_and_told", refused),
        trial("a_subscriber_that_does_not_read_loses_records_and_is_told", slow),
    ]
}

/// Events of these types, as `type` and what is asked for of the record.
fn told(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        let record = &event["record"];
        let what = ["status", "name", "phase"].iter().find_map(|field| record[field].as_str());
        let what = record.as_str().or(what).unwrap_or_default();
        format!("{} {what}", event["type"].as_str().expect("a type")).trim().to_owned()
    };
    events.iter().map(line).collect()
}

/// Invokes until an extension has noted so much telemetry: the last of it comes after an invocation.
pub(crate) async fn until_told(
    rig: &Rig,
    function: &crate::rig::Function,
    name: &str,
    last: &str,
) -> Vec<Value> {
    loop {
        let value = rig.value(function, &json!({ "read": [name], "print": "again" }).to_string()).await;
        let events = notes(&value, name, "telemetry");
        if told(&events).iter().any(|line| line == last) {
            return events;
        }
    }
}

async fn everything() {
    let rig = Rig::start("telemetry");
    // Who subscribes twice is told once, of what he asked for last.
    let wishes = json!({
        "all": { "subscriptions": [{ "types": ["function"] }, {}] },
        "some": { "subscriptions": [{ "types": ["function"], "host": "sandbox" }] },
    });
    let code = format!("print('function loads')\n{READER}");
    let (function, ports) = with_extensions(&rig, "everything", &code, &wishes);
    let first = rig.invoke(&function, r#"{"print": "first"}"#).await.finished().await;
    let line = "TELEMETRY\tName: all\tState: Subscribed\tTypes: [platform, function, extension]";
    assert!(first.log.lines().any(|found| found == line), "{}", first.log);
    let events = until_told(&rig, &function, "all", "platform.report success").await;
    let mut lines = told(&events);
    // The two start beside each other, and one of the platform's lines is of the second.
    lines.retain(|line| !line.contains("some") && *line != "extension all starts");
    let end = lines.iter().position(|line| line == "platform.report success").expect("a report");
    let told_between = ["platform.start", "function handler prints first", "platform.runtimeDone success"];
    let mut expected = vec![
        "platform.initStart init",
        "platform.telemetrySubscription all",
        "platform.telemetrySubscription all",
        "function function loads",
        "platform.initRuntimeDone success",
        "platform.initReport success",
        "platform.extension all",
    ];
    expected.extend(told_between);
    // What the extension itself writes comes when it does.
    let mut found: Vec<&str> = lines[..end].iter().map(String::as_str).collect();
    let own = found.iter().position(|line| *line == "extension all is told INVOKE");
    found.remove(own.expect("its own line"));
    assert_eq!(found, expected);
    let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |name: &str| events.iter().find(|event| event["type"] == name).expect(name)["record"].clone();
    assert_eq!(of("platform.initStart")["functionName"], "everything");
    assert_eq!(of("platform.initStart")["initializationType"], "on-demand");
    assert_eq!(of("platform.start")["version"], "$LATEST");
    assert_eq!(of("platform.start")["requestId"], of("platform.report")["requestId"]);
    let metrics = of("platform.report")["metrics"].clone();
    assert_eq!(metrics["billedDurationMs"], first.billed_ms);
    assert!(metrics["initDurationMs"].as_f64().is_some_and(|init| init > 0.0), "{metrics}");
    assert!(of("platform.runtimeDone")["metrics"]["producedBytes"].as_u64() > Some(10));
    assert_eq!(of("platform.report")["spans"][0]["name"], "extensionOverhead");

    let some = until_told(&rig, &function, "some", "function handler prints again").await;
    assert_eq!(told(&some)[..2], ["function function loads", "function handler prints first"]);
    rig.compute.stop().await;
    ports.lines.heard("all is told SHUTDOWN spindown").await;
    rig.stop().await;
}

async fn logs() {
    let rig = Rig::start("telemetry-logs");
    let subscription = |schema: &str| json!({ "path": "/2020-08-15/logs", "schema": schema, "types": ["platform", "function"] });
    let wishes = json!({
        "older": { "subscriptions": [subscription("2020-08-15")] },
        "newer": { "subscriptions": [subscription("2021-03-18")] },
    });
    let (function, _ports) = with_extensions(&rig, "logs", READER, &wishes);
    rig.invoke(&function, r#"{"print": "first"}"#).await.finished().await;
    for (name, done) in [("older", None), ("newer", Some("platform.runtimeDone success"))] {
        let events = until_told(&rig, &function, name, "platform.report").await;
        let mut lines = told(&events);
        lines.retain(|line| !line.contains("er"));
        assert!(lines.iter().all(|line| !line.contains("init")), "{lines:?}");
        let mut expected = vec!["platform.start"];
        expected.extend(done);
        expected.extend(["platform.end", "platform.report"]);
        let lines: Vec<&str> = lines.iter().map(String::as_str).take(expected.len()).collect();
        assert_eq!(lines, expected, "{name}");
    }
    rig.stop().await;
}

/// An internal extension that reads lines from a connection.
const TCP: &str = "\
import json, os, socket, threading, urllib.request
API = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']
def call(method, path, body, headers):
    request = urllib.request.Request(API + path, json.dumps(body).encode() if body else None, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.loads(answer.read())
read = []
listener = socket.create_server(('sandbox', 0))
def accept():
    stream, _ = listener.accept()
    for line in stream.makefile():
        read.append(json.loads(line)['type'])
threading.Thread(target=accept, daemon=True).start()
headers, _ = call('POST', '/2020-01-01/extension/register', {'events': []}, {'Lambda-Extension-Name': 'tcp'})
identifier = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
answer = call('PUT', '/2022-07-01/telemetry', {
    'schemaVersion': '2022-07-01',
    'types': ['platform', 'function'],
    'buffering': {'timeoutMs': 25, 'maxBytes': 262144, 'maxItems': 1000},
    'destination': {'protocol': 'TCP', 'port': listener.getsockname()[1]},
}, identifier)[1]
threading.Thread(target=lambda: call('GET', '/2020-01-01/extension/event/next', None, identifier), daemon=True).start()
def handler(event, context):
    print('a line')
    return [answer, read]
";

async fn tcp() {
    let rig = Rig::start("telemetry-tcp");
    let function = rig.python("tcp", TCP);
    loop {
        let value = rig.value(&function, "{}").await;
        assert_eq!(value[0], "OK");
        let read: Vec<&str> =
            value[1].as_array().expect("a list").iter().map(|name| name.as_str().expect("a type")).collect();
        if read.contains(&"platform.report") {
            let expected = [
                "platform.initStart",
                "platform.telemetrySubscription",
                "platform.initRuntimeDone",
                "platform.initReport",
                "platform.extension",
                "platform.start",
                "function",
                "platform.runtimeDone",
                "platform.report",
            ];
            assert_eq!(read[..expected.len()], expected);
            break;
        }
    }
    rig.stop().await;
}

async fn refused() {
    let rig = Rig::start("telemetry-refused");
    let wishes = json!({ "picky": { "refuses": 1, "subscriptions": [{}] } });
    let (function, _ports) = with_extensions(&rig, "picky", READER, &wishes);
    let events = until_told(&rig, &function, "picky", "platform.logsDropped").await;
    let value = rig.value(&function, r#"{"read": ["picky"]}"#).await;
    let refused = &notes(&value, "picky", "refused")[0];
    let dropped = events.iter().find(|event| event["type"] == "platform.logsDropped").expect("it is told");
    let count = refused.as_array().expect("a list").len();
    assert_eq!(dropped["record"]["droppedRecords"], count, "{dropped}");
    assert!(dropped["record"]["droppedBytes"].as_u64() > Some(100), "{dropped}");
    rig.stop().await;
}

/// Subscribes, and does not read before the test says so; then reads everything until it is told what was lost.
const DEAF: &str = r#"#!/usr/bin/env python3
import http.server, json, os, socket, threading, urllib.request
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
def call(method, path, body, headers):
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(API + path, data, headers, method=method)) as answer:
        return answer.headers, json.loads(answer.read())
lines, dropped, done = [], [], threading.Event()
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        for event in body:
            if event["type"] == "function":
                lines.append(int(event["record"].split()[0]))
            elif event["type"] == "platform.logsDropped":
                dropped.append(event["record"])
                done.set()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("sandbox.localdomain", 0), Listener)
headers, _ = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE"]}, {"Lambda-Extension-Name": "deaf"})
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % server.server_port},
}, identifier)
call("GET", "/2020-01-01/extension/event/next", None, identifier)
with socket.create_connection(("127.0.0.1", 4599)) as stream:
    stream.sendall(b"deaf\n")
    stream.recv(1)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done.wait()
    stream.sendall(json.dumps([lines, dropped]).encode() + b"\n")
call("GET", "/2020-01-01/extension/event/next", None, identifier)
"#;

async fn slow() {
    const LINES: u64 = 400;
    let rig = Rig::start("telemetry-slow");
    let flood = format!(
        "def handler(event, context):\n    for number in range({LINES}):\n        print(number, 'x' * 10000)\n"
    );
    let (function, ports) = with_extensions(&rig, "slow", &flood, &json!({}));
    let layer = rig.directory.join("deaf-layer");
    write_program(&layer, "extensions/deaf", DEAF.as_bytes(), 0o755);
    let function = function.with(|spec| spec.layer_dirs = vec![layer]);
    let outcome = rig.invoke(&function, "{}").await;
    assert_eq!(outcome.function_error, None, "it did not wait: {}", outcome.log);
    let (_, mut stream) = who_waits(&ports).await;
    stream.write_all(b".").await.expect("it waits");
    let (mut told, mut line) = (tokio::io::BufReader::new(stream), String::new());
    tokio::io::AsyncBufReadExt::read_line(&mut told, &mut line).await.expect("it tells");
    let value: Value = serde_json::from_str(&line).expect("JSON");
    let lines: Vec<u64> = value[0].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
    let dropped = &value[1][0];
    // What came before the loss is whole and in order; what is lost is counted, with the platform's own records.
    assert_eq!(lines, (0..lines.len() as u64).collect::<Vec<_>>());
    assert!(!lines.is_empty() && lines.len() < 400, "{}", lines.len());
    let records = dropped["droppedRecords"].as_u64().expect("a count");
    assert!((LINES - lines.len() as u64..=LINES - lines.len() as u64 + 3).contains(&records), "{dropped}");
    assert!(dropped["droppedBytes"].as_u64() > Some((records - 3) * 10_000), "{dropped}");
    rig.stop().await;
}
