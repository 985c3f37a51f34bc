//! Responses that are streamed: pieces arrive while the function runs, and every end has its name.

use std::sync::Arc;

use apus_compute::response_stream::{ResponsePart, ResponseReader, STREAM_BYTES_MAX, response_stream};
use apus_compute::{InvokeOutcome, InvokeRequest};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use crate::nodejs::{javascript, node_is_installed};
use crate::rig::{ENDPOINT_PORT, Function, Ports, Rig, json as payload, text};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let node = node_is_installed();
    vec![
        trial("a_piece_arrives_while_the_handler_waits", early),
        trial("a_slow_reader_slows_the_function_down", slow_reader),
        trial("a_reader_who_goes_loses_only_what_comes", gone_reader),
        trial("streams_that_break_off_have_names", broken),
        trial("a_stream_has_a_bound", bounded),
        trial("who_wants_a_stream_whole_gets_it_so", whole),
        trial("javascript_handlers_stream", handlers).with_ignored_flag(!node),
        trial("javascript_streams_that_fail_have_names", failing_handlers).with_ignored_flag(!node),
    ]
}

/// Speaks to the Runtime API beside Python's own runtime, which then comes too late with its answer.
const RAW: &str = r#"
import os, socket

def begin(context, mode="streaming", kind="text/plain"):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    s = socket.create_connection((host, int(port)))
    path = "/2018-06-01/runtime/invocation/" + context.aws_request_id + "/response"
    s.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: {kind}\r\n"
        f"Lambda-Runtime-Function-Response-Mode: {mode}\r\n"
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n").encode())
    return s

def piece(s, data):
    s.sendall(b"%x\r\n" % len(data) + data + b"\r\n")

def end(s, trailers=""):
    s.sendall(("0\r\n" + trailers + "\r\n").encode())
    return s.recv(12).decode()

def gate():
    s = socket.create_connection(("127.0.0.1", PORT))
    assert s.recv(1) == b"!"
"#;

fn raw(rig: &Rig, name: &str, handler: &str) -> (Function, Arc<Ports>) {
    let port = format!("PORT = {ENDPOINT_PORT}\n");
    let ports = Arc::new(Ports::default());
    let function = rig.python(name, &[port.as_str(), RAW, handler].concat());
    (function.with(|spec| spec.ports = ports.clone()), ports)
}

/// An invocation of which pieces are read.
struct Streamed {
    reader: ResponseReader,
    outcome: oneshot::Receiver<InvokeOutcome>,
}

fn stream(rig: &Rig, function: &Function, event: &str) -> Streamed {
    let (writer, reader) = response_stream();
    let request = InvokeRequest {
        request_id: rig.env.uuid_v4(),
        payload: event.to_owned().into(),
        response_stream: Some(writer),
        ..InvokeRequest::default()
    };
    let (compute, spec) = (rig.compute.clone(), function.0.clone());
    let (ended, outcome) = oneshot::channel();
    let _detached = rig.env.spawn("streamed invocation", async move {
        let outcome = compute.invoke(spec, request).await.expect("the platform runs the function");
        assert!(ended.send(outcome).is_ok(), "the test waits for the end");
    });
    Streamed { reader, outcome }
}

impl Streamed {
    async fn begin(&mut self, content_type: &str) {
        let begin = ResponsePart::Begin { content_type: Some(content_type.to_owned()) };
        assert_eq!(self.reader.next().await, Some(begin));
    }

    /// Reads so many bytes, however they are cut.
    async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < count {
            match self.reader.next().await {
                Some(ResponsePart::Bytes(bytes)) => read.extend_from_slice(&bytes),
                other => panic!("{other:?} after {} bytes", read.len()),
            }
        }
        read
    }

    /// Reads all that comes, and the end.
    async fn rest(mut self) -> (Vec<u8>, InvokeOutcome) {
        let mut read = Vec::new();
        while let Some(part) = self.reader.next().await {
            if let ResponsePart::Bytes(bytes) = part {
                read.extend_from_slice(&bytes);
            }
        }
        (read, self.outcome.await.expect("the invocation ends"))
    }
}

fn error_type(outcome: &InvokeOutcome) -> Option<&str> {
    outcome.function_error.as_ref().map(|error| &*error.error_type)
}

/// Lets a handler go on that waits at its gate.
async fn open(ports: &Ports) {
    let listener = {
        let listeners = ports.listeners.lock().expect("no test panics here");
        listeners.last().expect("there is an environment").endpoint.try_clone().expect("it is open")
    };
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    let (mut handler, _) = listener.accept().await.expect("the handler comes");
    handler.write_all(b"!").await.expect("the handler listens");
}

async fn early() {
    let rig = Rig::start("stream_early");
    let handler = r#"
def handler(event, context):
    s = begin(context)
    piece(s, b"first")
    gate()
    piece(s, b"second")
    print("answered", end(s))
"#;
    let (function, ports) = raw(&rig, "early", handler);
    for _ in 0..3 {
        let mut streamed = stream(&rig, &function, "{}");
        streamed.begin("text/plain").await;
        assert_eq!(streamed.read(5).await, b"first");
        assert!(streamed.outcome.try_recv().is_err(), "the handler waits");
        open(&ports).await;
        let (rest, outcome) = streamed.rest().await;
        assert_eq!((&*rest, error_type(&outcome)), (&b"second"[..], None), "{}", outcome.log);
        assert!(outcome.payload.is_empty());
    }
    rig.stop().await;
}

async fn slow_reader() {
    let rig = Rig::start("stream_slow_reader");
    let handler = r"
def handler(event, context):
    s = begin(context)
    for n in range(event):
        piece(s, bytes([n % 251]) * (1 << 16))
    end(s)
";
    let (function, _) = raw(&rig, "slow", handler);
    // More than the sockets and all that waits hold: without somebody who reads, the function cannot end.
    let function = function.with(|spec| spec.timeout = std::time::Duration::from_secs(2));
    let unread = stream(&rig, &function, "1024");
    let outcome = unread.outcome.await.expect("the invocation ends");
    assert_eq!(error_type(&outcome), Some("Sandbox.Timedout"), "{}", outcome.log);
    let (read, outcome) = stream(&rig, &function, "256").rest().await;
    assert_eq!((read.len(), error_type(&outcome)), (256 << 16, None), "{}", outcome.log);
    assert!(
        read.chunks(1 << 16).zip(0..).all(|(piece, n)| piece.iter().all(|byte| *byte == (n % 251) as u8))
    );
    rig.stop().await;
}

async fn gone_reader() {
    let rig = Rig::start("stream_gone_reader");
    let handler = r#"
def handler(event, context):
    s = begin(context)
    piece(s, b"first")
    gate()
    for _ in range(100):
        piece(s, b"x" * 65536)
    print("answered", end(s))
"#;
    let (function, ports) = raw(&rig, "gone", handler);
    let mut streamed = stream(&rig, &function, "{}");
    streamed.begin("text/plain").await;
    streamed.read(5).await;
    let Streamed { reader, outcome } = streamed;
    drop(reader);
    open(&ports).await;
    let outcome = outcome.await.expect("the invocation ends");
    assert_eq!(error_type(&outcome), None, "{}", outcome.log);
    ports.lines.heard("answered HTTP/1.1 202").await;
    rig.stop().await;
}

async fn broken() {
    let rig = Rig::start("stream_broken");
    let handler = r#"
def handler(event, context):
    s = begin(context, event.get("mode", "streaming"))
    if "mode" not in event:
        piece(s, b"first")
        # What the runtime says by itself afterwards must not come first.
        gate()
    return eval(event["then"])
"#;
    let (function, ports) = raw(&rig, "broken", handler);
    let function = function.with(|spec| spec.timeout = std::time::Duration::from_secs(2));
    let late = "end(s, 'Lambda-Runtime-Function-Error-Type: Late\\r\\nLambda-Runtime-Function-Error-Body: eyJtaWR3YXkiOiB0cnVlfQ==\\r\\n')";
    let cases = [
        (late, "Late", r#"{"midway": true}"#),
        ("os._exit(3)", "Runtime.ExitError", "exit status 3"),
        ("s.close()", "Runtime.TruncatedResponse", "broke off"),
        ("__import__('time').sleep(60)", "Sandbox.Timedout", "timed out after 2.00 seconds"),
        // What the runtime itself says while the other is under way is refused, so that it gives up.
        ("globals().update(kept=s)", "Runtime.ExitError", "exit status 1"),
    ];
    for (then, expected, message) in cases {
        let mut streamed = stream(&rig, &function, &json!({ "then": then }).to_string());
        streamed.begin("text/plain").await;
        assert_eq!(streamed.read(5).await, b"first");
        open(&ports).await;
        let (read, outcome) = streamed.rest().await;
        assert_eq!((&*read, error_type(&outcome)), (&b""[..], Some(expected)), "{then}");
        assert!(text(&outcome).contains(message), "{}", text(&outcome));
        let report = outcome.log.lines().last().unwrap_or_default();
        assert!(report.starts_with("REPORT "), "{}", outcome.log);
    }
    let odd = json!({ "mode": "sideways", "then": "s.recv(12).decode()" }).to_string();
    rig.error(&function, &odd, "Runtime.InvalidResponseModeHeader").await;
    rig.stop().await;
}

async fn bounded() {
    let rig = Rig::start("stream_bounded");
    let handler = r#"
def handler(event, context):
    s = begin(context)
    block = b"x" * (1 << 20)
    try:
        for _ in range(event >> 20):
            piece(s, block)
        if event % len(block):
            piece(s, block[:event % len(block)])
        print("answered", end(s))
    except OSError:
        print("cut")
"#;
    let (function, _) = raw(&rig, "bounded", handler);
    let function = function.with(|spec| spec.timeout = std::time::Duration::from_mins(2));
    for (bytes, expected) in
        [(STREAM_BYTES_MAX, None), (STREAM_BYTES_MAX + 1, Some("Function.ResponseSizeTooLarge"))]
    {
        let mut streamed = stream(&rig, &function, &bytes.to_string());
        let mut read = 0;
        while let Some(part) = streamed.reader.next().await {
            if let ResponsePart::Bytes(bytes) = part {
                read += bytes.len() as u64;
            }
        }
        let outcome = streamed.outcome.await.expect("the invocation ends");
        assert_eq!(error_type(&outcome), expected, "{}", outcome.log);
        assert!(read <= STREAM_BYTES_MAX && (expected.is_some() || read == STREAM_BYTES_MAX), "{read}");
        assert_eq!(rig.error(&function, "\"no number\"", "TypeError").await.1.cold, None, "it goes on");
    }
    rig.stop().await;
}

async fn whole() {
    let rig = Rig::start("stream_whole");
    let handler = r#"
def handler(event, context):
    if event == "plain":
        return "plain"
    if event == "fault":
        raise ValueError("no")
    s = begin(context)
    for _ in range(event):
        piece(s, b"12345678" * 8192)
    print("answered", end(s))
"#;
    let (function, _) = raw(&rig, "whole", handler);
    let outcome = rig.invoke(&function, "2").await;
    assert_eq!((outcome.payload.len(), error_type(&outcome)), (2 << 16, None));
    rig.error(&function, "100", "Function.ResponseSizeTooLarge").await;
    // The other way round: what is no stream is in the outcome.
    let (read, outcome) = stream(&rig, &function, "\"plain\"").rest().await;
    assert_eq!((read.len(), payload(&outcome)), (0, json!("plain")));
    let (read, outcome) = stream(&rig, &function, "\"fault\"").rest().await;
    assert_eq!((read.len(), error_type(&outcome)), (0, Some("ValueError")));
    rig.stop().await;
}

async fn handlers() {
    let rig = Rig::start("stream_javascript");
    let gate = format!(
        "const gate = () => new Promise((go) => require('net').connect({ENDPOINT_PORT}, '127.0.0.1').on('data', go));\n"
    );
    let handler = "
exports.go = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.setContentType('text/plain');
  stream.write('first');
  await gate();
  stream.write(' and ');
  stream.write({ n: event.n });
  stream.end();
});";
    let ports = Arc::new(Ports::default());
    let function = javascript(&rig, "waits", "app.go", &[("app.js", &[&gate, handler].concat())])
        .with(|spec| spec.ports = ports.clone());
    for n in 0..3 {
        let mut streamed = stream(&rig, &function, &json!({ "n": n }).to_string());
        streamed.begin("text/plain").await;
        assert_eq!(streamed.read(5).await, b"first");
        open(&ports).await;
        let (rest, outcome) = streamed.rest().await;
        assert_eq!(error_type(&outcome), None, "{}", outcome.log);
        assert_eq!(String::from_utf8_lossy(&rest), format!(" and {{\"n\":{n}}}"));
    }
    let handler = "
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
export const go = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
  const block = Buffer.alloc(1 << 16, 'y');
  await pipeline(Readable.from(function* () { for (let n = 0; n < event.n; n++) yield block; }()), stream);
});";
    let handler = handler.replace("const { pipeline } = require", "import { createRequire } from 'module';\nconst require = createRequire(import.meta.url);\nconst { pipeline } = require");
    let function = javascript(&rig, "pipes", "app.go", &[("app.mjs", &handler)]);
    let prelude = b"{\"statusCode\":201,\"headers\":{\"a\":\"b\"}}\0\0\0\0\0\0\0\0";
    for n in [1, 100] {
        let mut streamed = stream(&rig, &function, &json!({ "n": n }).to_string());
        streamed.begin("application/vnd.awslambda.http-integration-response").await;
        let (read, outcome) = streamed.rest().await;
        assert_eq!(error_type(&outcome), None, "{}", outcome.log);
        let body = read.strip_prefix(&prelude[..]).expect("the prelude comes first");
        assert!(body.len() == n << 16 && body.iter().all(|byte| *byte == b'y'));
    }
    let outcome = rig.invoke(&function, r#"{"n": 1}"#).await;
    assert_eq!((outcome.payload.len(), error_type(&outcome)), (prelude.len() + (1 << 16), None));
    rig.stop().await;
}

async fn failing_handlers() {
    let rig = Rig::start("stream_javascript_failures");
    let handler = "
exports.go = awslambda.streamifyResponse(async (event, stream) => {
  if (event.begun) stream.write('first');
  await eval(event.then);
});
exports.plain = awslambda.streamifyResponse((event, stream) => { stream.end('x'); });";
    let function = javascript(&rig, "fails", "app.go", &[("app.js", handler)]);
    let cases = [
        ("Promise.reject(new RangeError('too far'))", "RangeError", "too far"),
        ("new Promise(() => setTimeout(() => { throw new EvalError('stray'); }))", "EvalError", "stray"),
        ("process.exit(7)", "Runtime.ExitError", "exit status 7"),
    ];
    for begun in [false, true] {
        for (then, expected, message) in cases {
            let event = json!({ "begun": begun, "then": then }).to_string();
            let (read, outcome) = stream(&rig, &function, &event).rest().await;
            assert_eq!(error_type(&outcome), Some(expected), "{then}: {}", outcome.log);
            assert!(text(&outcome).contains(message), "{}", text(&outcome));
            // What a process that ends at once has written may not have left it.
            assert!(read == if begun { &b"first"[..] } else { b"" } || expected == "Runtime.ExitError");
        }
    }
    let plain = function.with(|spec| spec.handler = "app.plain".into());
    let plain = plain.with(|spec| spec.key.revision = "2".into());
    let (read, _) = stream(&rig, &plain, "{}").rest().await;
    assert_eq!(read, b"x");
    rig.stop().await;
}
