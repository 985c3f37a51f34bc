//! The Runtime API, used wrongly and unusually by the function itself while it is invoked.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::rig::{Function, Rig, json as payload};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("misuse_of_the_runtime_api_is_refused_as_on_aws", misuse),
        trial("whoever_answers_first_has_answered", early_answer),
        trial("streamed_responses_arrive_whole_or_fail", streamed),
        trial("garbage_and_many_connections_do_no_harm", garbage),
    ]
}

const CLIENT: &str = r#"
import http.client, json, os, socket

address = os.environ["AWS_LAMBDA_RUNTIME_API"]

def ask(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    return [answer.status, json.loads(text).get("errorType") if text else None]

def raw(data):
    host, port = address.split(":")
    s = socket.create_connection((host, int(port)), 5)
    s.sendall(data)
    return s

def handler(event, context):
    own = "/2018-06-01/runtime/invocation/" + context.aws_request_id
    names = dict(globals(), own=own, context=context)
    return eval(event, names)
"#;

fn client(rig: &Rig) -> Function {
    rig.python("client", CLIENT)
}

async fn misuse() {
    let rig = Rig::start("misuse");
    let client = client(&rig);
    let cases = [
        ("ask('GET', '/2018-06-01/runtime/invocation/next')", json!([403, "InvalidStateTransition"])),
        ("ask('POST', '/2018-06-01/runtime/init/error', '{}')", json!([403, "InvalidStateTransition"])),
        (
            "ask('POST', '/2018-06-01/runtime/invocation/other/response', '1')",
            json!([400, "InvalidRequestID"]),
        ),
        ("ask('POST', '/2018-06-01/runtime/invocation/other/error', '{}')", json!([400, "InvalidRequestID"])),
        ("ask('GET', own + '/response')", json!([405, "MethodNotAllowed"])),
        ("ask('POST', '/2018-06-01/runtime/invocation/next')", json!([405, "MethodNotAllowed"])),
        ("ask('GET', '/2018-06-01/runtime/elsewhere')", json!([404, "NotFound"])),
        ("ask('GET', '/')", json!([404, "NotFound"])),
    ];
    for (source, expected) in cases {
        assert_eq!(rig.value(&client, &json!(source).to_string()).await, expected, "{source}");
    }
    rig.stop().await;
}

async fn early_answer() {
    let rig = Rig::start("early_answer");
    let client = client(&rig);
    let twice = "[ask('POST', own + '/response', '\"first\"'), ask('POST', own + '/response', '\"second\"')]";
    assert_eq!(rig.value(&client, &json!(twice).to_string()).await, "first");
    assert_eq!(rig.value(&client, "\"7\"").await, 7, "the runtime goes on");
    let fault = "ask('POST', own + '/error', '{\"errorType\": \"Odd\", \"more\": 1}', {'Lambda-Runtime-Function-Error-Type': 'Odd'})";
    let (error, _) = rig.error(&client, &json!(fault).to_string(), "Odd").await;
    assert_eq!(error, json!({"errorType": "Odd", "more": 1}), "the report passes unchanged");
    rig.stop().await;
}

async fn streamed() {
    let rig = Rig::start("streamed");
    let client = client(&rig);
    let stream = |trailers: &str| {
        let source = format!(
            "raw(('POST ' + own + '/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\nLambda-Runtime-Function-Response-Mode: streaming\\r\\nTrailer: Lambda-Runtime-Function-Error-Type\\r\\n\\r\\n3\\r\\n\"ab\\r\\n3\\r\\ncd\"\\r\\n0\\r\\n{trailers}\\r\\n').encode()).recv(9).decode()"
        );
        json!(source).to_string()
    };
    assert_eq!(rig.value(&client, &stream("")).await, "abcd");
    let outcome =
        rig.invoke(&client, &stream("Lambda-Runtime-Function-Error-Type: Late\\r\\nLambda-Runtime-Function-Error-Body: eyJtaWR3YXkiOiB0cnVlfQ==\\r\\n")).await;
    let error = outcome.function_error.clone().map(|error| error.error_type);
    assert_eq!((error.as_deref(), payload(&outcome)), (Some("Late"), json!({"midway": true})));
    rig.stop().await;
}

async fn garbage() {
    let rig = Rig::start("garbage");
    let client = client(&rig);
    let sources = [
        "raw(b'\\x00\\xff' * 1000).close()",
        "raw(b'GET / HTTP/9.9\\r\\n\\r\\n').recv(1) and None",
        "raw(b'POST ' + own.encode() + b'/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\nshort').close()",
        "globals().update(kept=[raw(b'') for _ in range(150)])",
    ];
    for source in sources {
        assert_eq!(rig.value(&client, &json!(source).to_string()).await, Value::Null, "{source}");
    }
    assert_eq!(rig.value(&client, "\"8\"").await, 8);
    rig.stop().await;
}
