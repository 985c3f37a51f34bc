"""Lambda: extensions in layers and in functions, telemetry, and the layers of others that live of them."""

import base64
import io
import json
import re
import subprocess
import sys
import time
import zipfile

import pytest
from lambda_functions import RUNTIME, TRUST, arn, create, package, role  # noqa: F401 (fixtures)
from conftest import repository

DEADLINE_SECS = 30

# An external extension that reads telemetry and keeps it where the function finds it.
WATCHER = """#!/usr/bin/env python3
import http.server, json, os, threading, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]

def call(method, path, body, headers):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(API + path, data, headers, method=method)) as answer:
        return answer.headers, json.loads(answer.read())

class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        with open("/tmp/telemetry", "a") as kept:
            for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                kept.write(json.dumps(event) + "\\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("sandbox.localdomain", 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
headers, told = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]},
                     {"Lambda-Extension-Name": "watcher", "Lambda-Extension-Accept-Feature": "accountId"})
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function", "extension"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % server.server_port},
}, me)
print("watches", json.dumps(told), flush=True)
while True:
    event = call("GET", "/2020-01-01/extension/event/next", None, me)[1]
    print("is told", event["eventType"], event.get("requestId"), event.get("shutdownReason"), flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
"""
READS = """
import json, os
def handle(event, context):
    print("handler says", event.get("say"))
    if not os.path.exists("/tmp/telemetry"):
        return []
    with open("/tmp/telemetry") as kept:
        return [json.loads(line) for line in kept]
"""


def archive(files):
    """A zip of texts and bytes, all of them executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, content)
    return buffer.getvalue()


@pytest.fixture
def layer(aws, name):
    """Publishes layers; returns the ARN of the version."""
    client = aws.client("lambda")
    made = []

    def publish(files, stem="layer"):
        answer = client.publish_layer_version(LayerName=f"{name}-{stem}", Content={"ZipFile": archive(files)})
        made.append((f"{name}-{stem}", answer["Version"]))
        return answer["LayerVersionArn"]

    yield publish
    for of, version in made:
        client.delete_layer_version(LayerName=of, VersionNumber=version)


def payload(answer):
    value = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, value
    return value


def call(client, name, event=None, **arguments):
    return client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **arguments)


def log_of(answer):
    return base64.b64decode(answer["LogResult"]).decode()


def test_an_external_extension_reads_telemetry_of_the_whole_life(aws, create, layer, name):
    client = aws.client("lambda")
    create(READS, Layers=[layer({"extensions/watcher": WATCHER})], Timeout=20)
    first = call(client, name, {"say": "one"}, LogType="Tail")
    log = log_of(first)
    request_id = first["ResponseMetadata"]["RequestId"]
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in log
    assert re.search(r'^watches .*"accountId": "000000000000"', log, re.MULTILINE), log
    # Who asks for the log is told the whole, which extensions are part of.
    assert log.splitlines()[-1].startswith(f"REPORT RequestId: {request_id}"), log
    assert f"is told INVOKE {request_id}" in log

    events, deadline = [], time.monotonic() + DEADLINE_SECS
    while not any(event["type"] == "platform.report" for event in events):
        assert time.monotonic() < deadline, events
        events = payload(call(client, name, {"say": "again"}))
    types = [event["type"] for event in events if event["type"].startswith("platform.")]
    assert types[:types.index("platform.report") + 1] == [
        "platform.initStart", "platform.telemetrySubscription", "platform.initRuntimeDone", "platform.initReport",
        "platform.extension", "platform.start", "platform.runtimeDone", "platform.report"]
    started = next(event for event in events if event["type"] == "platform.initStart")["record"]
    assert started["functionName"] == name and started["instanceMaxMemory"] == 128 << 20
    written = [event["record"] for event in events if event["type"] == "function"]
    assert written[0] == "handler says one"
    report = next(event for event in events if event["type"] == "platform.report")["record"]
    assert report["requestId"] == request_id and report["status"] == "success"
    assert f"Billed Duration: {report['metrics']['billedDurationMs']} ms" in log


def test_extensions_are_told_when_the_platform_stops(launch):
    instance = launch()
    client = instance.client("lambda")
    iam = instance.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="logs", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
    layer = client.publish_layer_version(
        LayerName="watcher", Content={"ZipFile": archive({"extensions/watcher": WATCHER})})["LayerVersionArn"]
    client.create_function(FunctionName="f", Runtime=RUNTIME, Role=role, Handler="handler.handle",
                           Layers=[layer], Timeout=20, Code={"ZipFile": package(READS)})
    payload(call(client, "f"))
    instance.stop()
    instance = launch()
    events = instance.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    messages = [event["message"].strip() for event in events]
    assert "is told SHUTDOWN None spindown" in messages, messages
    instance.stop()


INTERNAL = """
import json, os, threading, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
told = []

def ask(path, method="GET", body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(API + path, body and json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.loads(answer.read())

def run():
    while True:
        told.append(ask("event/next", Lambda_Extension_Identifier=me)[1])

me = ask("register", "POST", {"events": ["INVOKE"]}, Lambda_Extension_Name="inner")[0]["Lambda-Extension-Identifier"]
threading.Thread(target=run, daemon=True).start()

def handle(event, context):
    return [context.aws_request_id, told]
"""


def test_an_internal_extension_is_told_of_invocations(aws, create, name):
    client = aws.client("lambda")
    create(INTERNAL, Timeout=20)
    first, _ = payload(call(client, name))
    second, told = payload(call(client, name))
    assert [event["requestId"] for event in told if event["requestId"] != second] == [first]
    assert {event["eventType"] for event in told} == {"INVOKE"}
    assert told[0]["invokedFunctionArn"] == arn(name)


def test_what_an_extension_breaks_is_the_function_s_error(aws, create, layer, name):
    client = aws.client("lambda")
    create(READS, Layers=[layer({"extensions/broken": "#!/bin/sh\necho goes\nexit 7\n"})], Timeout=20)
    answer = call(client, name, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "Extension.Crash" and error["errorMessage"].endswith("Error: exit code 7")
    assert "goes\n" in log_of(answer)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The files of a layer of pinned packages from their registry; skips where that cannot be reached."""
    def fetch(stem):
        target = tmp_path_factory.mktemp(stem)
        pinned = repository() / "tests/clients/fixtures/layers" / f"{stem}.txt"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--require-hashes", "--only-binary", ":all:", "--platform", "any", "--python-version", "3.11",
                   "--target", str(target), "-r", str(pinned)]
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if fetched.returncode != 0:
            reason = f"SKIPPED: pip cannot fetch {pinned.name}: {fetched.stderr.strip()[-300:]}"
            print(f"\n*** {reason} ***\n", file=sys.stderr)
            pytest.skip(reason)
        paths = [path for path in target.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        return {f"python/{path.relative_to(target)}": path.read_bytes() for path in paths}

    return fetch


POWERTOOLS = """
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

logger, tracer, metrics = Logger(), Tracer(), Metrics(namespace="Swifts")

@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler
@logger.inject_lambda_context(log_event=True)
def handle(event, context):
    metrics.add_metric(name="flights", unit=MetricUnit.Count, value=event["flights"])
    logger.info("it flies", extra={"flights": event["flights"]})
    return {"flights": event["flights"]}
"""


def test_powertools_work_unmodified(aws, create, layer, packages, name):
    client = aws.client("lambda")
    create(POWERTOOLS, Layers=[layer(packages("powertools"), "powertools")], Timeout=30, MemorySize=256,
           Environment={"Variables": {"POWERTOOLS_SERVICE_NAME": "colony", "POWERTOOLS_TRACE_DISABLED": "true"}})
    answer = call(client, name, {"flights": 7}, LogType="Tail")
    assert payload(answer) == {"flights": 7}
    found = [json.loads(line) for line in log_of(answer).splitlines() if line.startswith("{")]
    said = next(line for line in found if line.get("message") == "it flies")
    assert said["function_request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert (said["function_name"], said["function_arn"], said["cold_start"]) == (name, arn(name), True)
    assert said["service"] == "colony" and said["flights"] == 7
    emitted = [line for line in found if "_aws" in line]
    metric = next(line for line in emitted if "flights" in line)
    assert metric["flights"] == [7.0]
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Swifts"
    assert any(line.get("ColdStart") == [1.0] and line["function_name"] == name for line in emitted)


# A collector as OpenTelemetry has it: an external extension, to which functions send their spans.
COLLECTOR = """#!/usr/bin/env python3
import http.server, json, os, threading, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("collected", self.path, self.headers["Content-Type"], b"swift-span" in body, flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("localhost", 4318), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
register = urllib.request.Request(API + "register", b'{"events": ["INVOKE", "SHUTDOWN"]}',
                                  {"Lambda-Extension-Name": "collector"}, method="POST")
me = {"Lambda-Extension-Identifier": urllib.request.urlopen(register).headers["Lambda-Extension-Identifier"]}
while True:
    with urllib.request.urlopen(urllib.request.Request(API + "event/next", headers=me)) as answer:
        if json.loads(answer.read())["eventType"] == "SHUTDOWN":
            break
"""
# As their layer does it: a wrapper that the runtime is started by, and a module that it loads first.
WRAPPER = """#!/bin/sh
export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318
exec "$@"
"""
TRACED = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\\n")))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

def handle(event, context):
    with trace.get_tracer("test").start_as_current_span("swift-span"):
        return "traced"

AwsLambdaInstrumentor().instrument()
"""


def test_opentelemetry_works_unmodified(aws, create, layer, packages, name):
    client = aws.client("lambda")
    layers = [layer(packages("opentelemetry"), "packages"),
              layer({"extensions/collector": COLLECTOR, "otel-instrument": WRAPPER}, "collector")]
    create(TRACED, Layers=layers, Timeout=30, MemorySize=512,
           Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}})
    answer = call(client, name, LogType="Tail")
    assert payload(answer) == "traced"
    log = log_of(answer)
    spans = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    own = next(span for span in spans if span["name"] == "swift-span")
    # The log's tail may begin within the line of the outer one.
    assert own["parent_id"]
    collected = [line for line in log.splitlines() if line.startswith("collected ")]
    assert "collected /v1/traces application/x-protobuf True" in collected, log
    assert len(collected) == 2, log
