//! Extensions that fail, and calls that nobody should make.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::extensions::{EXTENSION, READER, notes, with_extensions};
use crate::rig::{Rig, write_program};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_extension_that_ends_ends_the_environment", crashes),
        trial("an_extension_may_say_that_it_failed", reports),
        trial("extensions_that_cannot_be_started_are_told_apart", launches),
        trial("an_extension_killed_for_memory_is_a_lack_of_memory", out_of_memory),
        trial("wrong_calls_of_extensions_are_refused", wrong_calls),
    ]
}

async fn crashes() {
    let rig = Rig::start("extensions-crashes");
    for (how, code) in [("at once", 3), ("in init", 4), ("in invoke", 5)] {
        let name = how.replace(' ', "-");
        let wishes = json!({ "crasher": { "exits": how }, "other": {} });
        // The runtime answers only after the extension has gone.
        let function_code = format!(
            "{READER}\nanswer = handler\ndef handler(event, context):\n    import time\n    time.sleep(60)\n"
        );
        let (function, ports) = with_extensions(&rig, &name, &function_code, &wishes);
        let function = function.with(|spec| spec.timeout = std::time::Duration::from_secs(20));
        let (error, outcome) = rig.error(&function, "{}", "Extension.Crash").await;
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.starts_with("RequestId: "), "{message}");
        assert!(message.ends_with(&format!("Error: exit code {code}")), "{message}");
        assert!(outcome.log.contains("Extension.Crash"), "{}", outcome.log);
        if how == "in invoke" {
            ports.lines.heard("other is told SHUTDOWN failure").await;
        } else {
            let told = outcome.log.lines().any(|line| {
                line.starts_with("EXTENSION\tName: crasher\t")
                    && line.ends_with("\tError Type: Extension.Crash")
            });
            assert!(told, "{}", outcome.log);
        }
        rig.until_idle().await;
    }
    rig.stop().await;
}

async fn reports() {
    let rig = Rig::start("extensions-reports");
    for (when, error_type) in [("init", "Extension.InitError"), ("exit", "Extension.ExitError")] {
        let (function, _ports) = with_extensions(
            &rig,
            when,
            "def handler(event, context):\n    import time\n    time.sleep(60)\n",
            &json!({ "reporter": { "fails": when } }),
        );
        let function = function.with(|spec| spec.timeout = std::time::Duration::from_secs(20));
        let (error, _) = rig.error(&function, "{}", error_type).await;
        let said = if when == "init" { "Extension.NoConfig" } else { "Extension.Broken" };
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(&format!("Error: the extension reporter failed: {said}")), "{message}");
        rig.until_idle().await;
    }
    rig.stop().await;
}

async fn launches() {
    let rig = Rig::start("extensions-launches");
    for (name, text, mode, why) in [
        ("locked", EXTENSION, 0o644, "fork/exec /opt/extensions/locked: permission denied"),
        ("garbage", "\x01garbage", 0o755, "fork/exec /opt/extensions/garbage: exec format error"),
    ] {
        let layer = rig.directory.join(format!("{name}-layer"));
        write_program(&layer, &format!("extensions/{name}"), text.as_bytes(), mode);
        let function = rig.python(name, READER).with(|spec| spec.layer_dirs = vec![layer]);
        let (error, _) = rig.error(&function, "{}", "Extension.LaunchError").await;
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(&format!("Error: {why}")), "{message}");
    }
    let layer = rig.directory.join("many-layer");
    for number in 0..11 {
        write_program(&layer, &format!("extensions/x{number}"), EXTENSION.as_bytes(), 0o755);
    }
    let function = rig.python("many", READER).with(|spec| spec.layer_dirs = vec![layer]);
    let (error, _) = rig.error(&function, "{}", "Extension.TooManyExtensions").await;
    let message = error["errorMessage"].as_str().expect("a message");
    assert!(message.contains("there are 11 files in /opt/extensions"), "{message}");
    rig.stop().await;
}

async fn out_of_memory() {
    if !crate::rig::has_groups() {
        eprintln!("*** SKIPPED: this user has no control groups ***");
        return;
    }
    let rig = Rig::start("extensions-memory");
    let greedy = "#!/usr/bin/env python3\nprint('greedy', flush=True)\nheld = bytearray(400 << 20)\n";
    let layer = rig.directory.join("greedy-layer");
    write_program(&layer, "extensions/greedy", greedy.as_bytes(), 0o755);
    let function = rig.python("greedy", READER).with(|spec| spec.layer_dirs = vec![layer]);
    rig.error(&function, "{}", "Runtime.OutOfMemory").await;
    rig.stop().await;
}

/// What the runtime's process may try on the APIs of extensions, with the answers: `[status, errorType]` each.
const WRONG: &str = "\
import http.client, json, os, threading
def call(method, path, headers={}, body=None):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (BrokenPipeError, ConnectionResetError):
        return [0, 'cut']
    try:
        return [answer.status, json.loads(text).get('errorType')]
    except (ValueError, AttributeError):
        return [answer.status, None]
E = '/2020-01-01/extension/'
T = '/2022-07-01/telemetry'
UNKNOWN = {'Lambda-Extension-Identifier': '00000000-0000-4000-8000-000000000000'}
def register(name, body='{}'):
    return call('POST', E + 'register', {'Lambda-Extension-Name': name}, body)
found = {
    'no name': call('POST', E + 'register', {}, '{}'),
    'empty name': register(''),
    'long name': register('x' * 256),
    'huge name': register('x' * 400000),
    'no JSON': register('a', '{'),
    'no object': register('a', '[]'),
    'events of others': register('a', json.dumps({'events': ['RESTORE']})),
    'events no list': register('a', json.dumps({'events': 'INVOKE'})),
    'configuration': register('a', json.dumps({'configurationKeys': ['k']})),
    'huge body': register('a', json.dumps({'events': [], 'x': 'x' * 2000000})),
    'deep body': register('a', '[' * 50000),
    'get': call('GET', E + 'register'),
    'nowhere': call('GET', E + 'other'),
    'no identifier': call('GET', E + 'event/next'),
    'no UUID': call('GET', E + 'event/next', {'Lambda-Extension-Identifier': 'me'}),
    'unknown': call('GET', E + 'event/next', UNKNOWN),
    'unknown error': call('POST', E + 'exit/error', {**UNKNOWN, 'Lambda-Extension-Function-Error-Type': 'x'}),
    'no error type': call('POST', E + 'init/error', UNKNOWN),
    'telemetry without identifier': call('PUT', T, {}, '{}'),
    'telemetry of nobody': call('PUT', T, UNKNOWN, '{}'),
    'telemetry by POST': call('POST', T, UNKNOWN, '{}'),
    'logs of nobody': call('PUT', '/2020-08-15/logs', UNKNOWN, '{}'),
}
names, identifiers = [], []
# Who registers must come for events, or the start never ends.
def serve(identifier):
    while True:
        call('GET', E + 'event/next', {'Lambda-Extension-Identifier': identifier})
for number in range(11):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request('POST', E + 'register', '{}', {'Lambda-Extension-Name': 'internal%d' % number})
    answer = connection.getresponse()
    names.append([answer.status, json.loads(answer.read()).get('errorType')])
    identifier = answer.getheader('Lambda-Extension-Identifier')
    if identifier:
        identifiers.append(identifier)
        threading.Thread(target=serve, args=(identifier,), daemon=True).start()
def handler(event, context):
    late = {
        'register': register('late'),
        'telemetry': call('PUT', T, {'Lambda-Extension-Identifier': event['id']}, json.dumps(SUBSCRIPTION)),
        'logs': call('PUT', '/2020-08-15/logs', {'Lambda-Extension-Identifier': event['id']}, json.dumps(OLDER)),
    }
    return {'found': found, 'names': names, 'identifiers': identifiers, 'late': late}
SUBSCRIPTION = {
    'schemaVersion': '2022-12-13', 'types': ['platform'],
    'destination': {'protocol': 'HTTP', 'URI': 'http://sandbox:1'},
}
OLDER = {**SUBSCRIPTION, 'schemaVersion': '2021-03-18'}
";

async fn wrong_calls() {
    let rig = Rig::start("extensions-wrong");
    let function = rig.python("wrong", WRONG);
    let value = rig.value(&function, r#"{"id": ""}"#).await;
    let identifiers = value["identifiers"].clone();
    let again = rig.value(&function, &json!({ "id": identifiers[0] }).to_string()).await;
    let late = json!({
        "register": [403, "Extension.RegistrationClosed"],
        "telemetry": [403, "Telemetry.SubscriptionClosed"],
        "logs": [403, "Logs.SubscriptionClosed"],
    });
    assert_eq!(again["late"], late);
    let format = "InvalidRequestFormat";
    for (what, status, error_type) in [
        ("no name", 403, "Extension.InvalidExtensionName"),
        ("empty name", 403, "Extension.InvalidExtensionName"),
        ("long name", 403, "Extension.InvalidExtensionName"),
        ("no JSON", 403, format),
        ("no object", 403, format),
        ("events of others", 403, "Extension.InvalidEventType"),
        ("events no list", 403, format),
        ("configuration", 403, format),
        ("deep body", 403, format),
        ("get", 405, "MethodNotAllowed"),
        ("nowhere", 404, "NotFound"),
        ("no identifier", 403, "Extension.MissingExtensionIdentifier"),
        ("no UUID", 403, "Extension.InvalidExtensionIdentifier"),
        ("unknown", 403, "Extension.UnknownExtensionIdentifier"),
        ("unknown error", 403, "Extension.UnknownExtensionIdentifier"),
        ("no error type", 403, "Extension.MissingHeader"),
        ("telemetry without identifier", 403, "Extension.MissingExtensionIdentifier"),
        ("telemetry of nobody", 403, "Extension.UnknownExtensionIdentifier"),
        ("telemetry by POST", 405, "MethodNotAllowed"),
        ("logs of nobody", 403, "Extension.UnknownExtensionIdentifier"),
    ] {
        assert_eq!(value["found"][what], json!([status, error_type]), "{what}");
    }
    // Cut off before it was read, or told of.
    for what in ["huge name", "huge body"] {
        let status = value["found"][what][0].as_u64();
        assert!(matches!(status, Some(0 | 403 | 431)), "{what}: {}", value["found"][what]);
    }
    let mut expected = vec![json!([200, Value::Null]); 10];
    expected.push(json!([403, "Extension.TooManyExtensions"]));
    assert_eq!(value["names"], Value::Array(expected));

    let wishes = json!({ "late": {}, "wrong": { "subscriptions": [{ "schema": "2020-01-01" }] } });
    let (function, _ports) = with_extensions(&rig, "subscribers", READER, &wishes);
    let value = rig.value(&function, r#"{"read": ["late", "wrong"]}"#).await;
    assert_eq!(notes(&value, "wrong", "subscribed"), [json!(400)], "{value}");
    rig.stop().await;
}
