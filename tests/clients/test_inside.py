"""SDKs inside functions reach the platform, whether or not they know an endpoint variable, and the world outside
as far as the rules let them."""

import http.server
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
from pathlib import Path

import pytest
from conftest import ACCOUNT, REGION
from test_lambda import TRUST, package

SDKS = Path(sys.prefix) / "sdks"
SITE = Path(__import__("boto3").__file__).parents[1]
PYTHON_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3", "six.py")
# Models that functions here need; all of them together are too large to upload for every test.
MODELS = ("s3", "sqs", "sts")
needs_javascript = pytest.mark.skipif(
    shutil.which("node") is None or not (SDKS / "javascript/node_modules").is_dir(),
    reason="SKIPPED LOUDLY: there is no Node.js, or no npm fetched the SDKs for JavaScript",
)

PERMISSIONS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}],
}

PYTHON = '''
import os
import boto3
from botocore.config import Config

def handle(event, context):
    url = os.environ["AWS_ENDPOINT_URL"]
    if event["how"] == "by name":
        # As an SDK that does not know the variable.
        del os.environ["AWS_ENDPOINT_URL"]
    options = {}
    if event["how"] == "virtual":
        options["endpoint_url"] = url.replace("127.0.0.1", "localhost")
    try:
        s3 = boto3.client("s3", config=Config(
            signature_version="s3v4", retries={"max_attempts": 0},
            s3={"addressing_style": "virtual"} if event["how"] == "virtual" else {}), **options)
        sqs = boto3.client("sqs", config=Config(retries={"max_attempts": 0}))
        place = {"Bucket": event["bucket"], "Key": "a b/ü.txt"}
        s3.put_object(Body=event["text"].encode(), **place)
        text = s3.get_object(**place)["Body"].read().decode()
        queue = sqs.get_queue_url(QueueName=event["queue"])["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody=event["text"])
        return {
            "text": text,
            "version": boto3.__version__,
            "s3": s3.meta.endpoint_url,
            "queue": queue,
            "get": s3.generate_presigned_url("get_object", place),
            "put": s3.generate_presigned_url("put_object", {**place, "Key": "from outside"}),
            "sts": boto3.client("sts").get_caller_identity()["Arn"],
        }
    finally:
        os.environ["AWS_ENDPOINT_URL"] = url
'''

JAVASCRIPT_3 = """
const { S3Client, PutObjectCommand, GetObjectCommand } = require('@aws-sdk/client-s3');
const { SQSClient, GetQueueUrlCommand, SendMessageCommand } = require('@aws-sdk/client-sqs');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');

exports.handle = async (event) => {
  const url = process.env.AWS_ENDPOINT_URL;
  if (event.how === 'by name') delete process.env.AWS_ENDPOINT_URL;
  try {
    const s3 = new S3Client({ maxAttempts: 1 });
    const sqs = new SQSClient({ maxAttempts: 1 });
    const place = { Bucket: event.bucket, Key: 'a b/ü.txt' };
    await s3.send(new PutObjectCommand({ ...place, Body: event.text }));
    const text = await (await s3.send(new GetObjectCommand(place))).Body.transformToString();
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: event.queue }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: event.text }));
    return {
      text,
      queue: QueueUrl,
      get: await getSignedUrl(s3, new GetObjectCommand(place)),
      put: await getSignedUrl(s3, new PutObjectCommand({ ...place, Key: 'from outside' })),
    };
  } finally {
    process.env.AWS_ENDPOINT_URL = url;
  }
};
"""

# The one that ignores the variable.
JAVASCRIPT_2 = """
const S3 = require('aws-sdk/clients/s3');
const SQS = require('aws-sdk/clients/sqs');

exports.handle = async (event) => {
  const s3 = new S3({ maxRetries: 0, signatureVersion: 'v4' });
  const sqs = new SQS({ maxRetries: 0 });
  const place = { Bucket: event.bucket, Key: 'a b/ü.txt' };
  await s3.putObject({ ...place, Body: event.text }).promise();
  const text = (await s3.getObject(place).promise()).Body.toString();
  const { QueueUrl } = await sqs.getQueueUrl({ QueueName: event.queue }).promise();
  await sqs.sendMessage({ QueueUrl, MessageBody: event.text }).promise();
  return {
    text,
    queue: QueueUrl,
    s3: s3.endpoint.href,
    get: s3.getSignedUrl('getObject', place),
    put: s3.getSignedUrl('putObject', { ...place, Key: 'from outside' }),
  };
};
"""

REACH = """
import socket, ssl, urllib.request

def handle(event, context):
    try:
        with urllib.request.urlopen(event["url"], timeout=10) as answer:
            return answer.read().decode()
    except OSError as error:
        return str(getattr(error, "reason", error))
"""


def with_boto3(source, site):
    """A package of this handler with the boto3 that is in this directory."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("handler.py", source)
        for name in PYTHON_PACKAGES:
            top = site / name
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                inside = path.relative_to(site)
                unwanted = inside.parts[:2] == ("botocore", "data") and len(inside.parts) > 3 and inside.parts[2] not in MODELS
                if path.is_file() and path.suffix != ".pyc" and not unwanted:
                    archive.write(path, inside)
    return out.getvalue()


def bundled(source, tmp_path):
    """A package of this handler with the SDKs that it requires, in one file."""
    modules = SDKS / "javascript/node_modules"
    result = subprocess.run(
        [modules / ".bin/esbuild", "--bundle", "--platform=node", "--minify", "--log-level=error"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        cwd=modules.parent,
    )
    assert result.returncode == 0, result.stderr
    return package(files={"handler.js": result.stdout})


@pytest.fixture
def function(aws, name):
    """Makes functions of a role that may use S3 and SQS; returns what invokes one."""
    made = []

    def make(code, runtime, instance=aws, memory=512):
        iam, functions = instance.client("iam"), instance.client("lambda")
        role = f"role-{uuid.uuid4().hex[:8]}"
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(PERMISSIONS))
        own = f"{name}-{len(made)}"
        made.append((instance, own))
        functions.create_function(
            FunctionName=own, Runtime=runtime, Role=arn, Handler="handler.handle",
            Code={"ZipFile": code}, Timeout=60, MemorySize=memory,
        )

        def invoke(event):
            answer = functions.invoke(FunctionName=own, Payload=json.dumps(event), LogType="Tail")
            body = answer["Payload"].read().decode()
            assert "FunctionError" not in answer, body
            return json.loads(body), role

        return invoke

    yield make
    for instance, own in made:
        if instance is aws:
            instance.client("lambda").delete_function(FunctionName=own)


@pytest.fixture
def place(aws, name):
    """A bucket and a queue."""
    bucket, queue = f"b-{name}"[:60].strip("-"), f"q-{name}"
    aws.client("s3").create_bucket(Bucket=bucket)
    url = aws.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
    return {"bucket": bucket, "queue": queue, "url": url}


def fetch(url, **options):
    request = urllib.request.Request(url, **options)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def arrived(aws, place, text):
    """The object and the message are here."""
    stored = aws.client("s3").get_object(Bucket=place["bucket"], Key="a b/ü.txt")["Body"].read().decode()
    messages = aws.client("sqs").receive_message(QueueUrl=place["url"], WaitTimeSeconds=1)["Messages"]
    assert (stored, messages[0]["Body"]) == (text, text)


def used_outside(aws, place, urls, text):
    """What was presigned inside works outside, and only for what it was presigned for."""
    assert fetch(urls["get"]) == text
    fetch(urls["put"], method="PUT", data=b"put outside")
    assert aws.client("s3").get_object(Bucket=place["bucket"], Key="from outside")["Body"].read() == b"put outside"
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(urls["get"], method="PUT", data=b"not that")
    assert refused.value.code == 403


@pytest.mark.parametrize("version", ["1.28", "newest"])
def test_boto3_arrives_by_variable_and_by_name(aws, function, place, version):
    site = SDKS / "boto3-1.28" if version == "1.28" else SITE
    invoke = function(with_boto3(PYTHON, site), "python3.11")
    for how in ["by variable", "by name", "virtual"]:
        text = f"{version} {how}"
        answer, role = invoke({**place, "how": how, "text": text})
        assert answer["text"] == text
        assert answer["version"].startswith("1.28." if version == "1.28" else "1.")
        assert answer["queue"] == f"{aws.endpoint}/{ACCOUNT}/{place['queue']}"
        assert answer["sts"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{answer['sts'].rsplit('/', 1)[1]}"
        arrived(aws, place, text)
        if how == "by variable":
            assert answer["s3"] == aws.endpoint
            used_outside(aws, place, answer, text)
        elif how == "by name":
            assert answer["s3"] == "https://s3.amazonaws.com", answer["s3"]
            assert urllib.parse.urlsplit(answer["get"]).netloc == f"{place['bucket']}.s3.amazonaws.com"
        else:
            assert urllib.parse.urlsplit(answer["get"]).netloc == f"{place['bucket']}.localhost:{aws.port}"


@needs_javascript
def test_the_sdk_for_javascript_3_arrives_by_variable_and_by_name(aws, function, place, tmp_path):
    invoke = function(bundled(JAVASCRIPT_3, tmp_path), "nodejs20.x")
    for how in ["by variable", "by name"]:
        answer, _ = invoke({**place, "how": how, "text": how})
        assert answer["text"] == how
        assert answer["queue"] == f"{aws.endpoint}/{ACCOUNT}/{place['queue']}"
        arrived(aws, place, how)
        if how == "by variable":
            used_outside(aws, place, answer, how)
        else:
            host = urllib.parse.urlsplit(answer["get"]).netloc
            assert host == f"{place['bucket']}.s3.{REGION}.amazonaws.com"


@needs_javascript
def test_an_sdk_that_ignores_the_variable_arrives(aws, function, place, tmp_path):
    invoke = function(bundled(JAVASCRIPT_2, tmp_path), "nodejs20.x")
    answer, _ = invoke({**place, "text": "version 2"})
    assert answer["text"] == "version 2"
    assert answer["s3"] == "https://s3.amazonaws.com/"
    arrived(aws, place, "version 2")
    # The bucket stands in the host.
    assert urllib.parse.urlsplit(answer["get"]).netloc == f"{place['bucket']}.s3.amazonaws.com"


def own_address():
    """An address of this machine that is not its loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from outside")

    def log_message(self, *_):
        pass


@pytest.fixture
def outside():
    """A server on this machine, outside of sandboxes."""
    address = own_address()
    if address is None or not Path("/dev/net/tun").exists():
        pytest.skip("SKIPPED LOUDLY: this machine has no address but its loopback, or no /dev/net/tun")
    with http.server.ThreadingHTTPServer((address, 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address
        server.shutdown()


def test_a_server_outside_is_reached_as_the_rules_say(launch, function, outside, tmp_path):
    host, port = outside
    event = {"url": f"http://{host}:{port}/"}
    for number, (arguments, expected) in enumerate([
        (["--egress", "on", "--egress-allow", f"{host}:{port}"], "hello from outside"),
        # An address of the host wants a rule of its own.
        (["--egress", "on", "--egress-allow", "0.0.0.0/0"], "[Errno 111] Connection refused"),
        (["--egress-allow", host, "--egress-deny", f"{host}/32:1-65535"], "[Errno 111] Connection refused"),
        (["--egress", "off", "--egress-allow", host], "[Errno 101] Network is unreachable"),
    ]):
        instance = launch(data_dir=tmp_path / f"data{number}", arguments=arguments)
        invoke = function(package(REACH), "python3.11", instance=instance, memory=128)
        assert invoke(event)[0] == expected, arguments
        # The platform is reached whatever the rules say, but only where it is meant to be: as the function's role.
        assert invoke({"url": f"http://{host}:{instance.port}/"})[0] in (
            "[Errno 111] Connection refused", "[Errno 101] Network is unreachable")
        instance.kill()


@pytest.mark.skipif(shutil.which("curl") is None, reason="SKIPPED LOUDLY: this machine has no curl")
def test_curl_reaches_a_server_outside_unless_it_may_not(launch, function, outside, tmp_path):
    host, port = outside
    curl = (
        "import subprocess\n"
        "def handle(event, context):\n"
        "    done = subprocess.run(['curl', '-sS', '--max-time', '10', event['url']], capture_output=True, text=True)\n"
        "    return [done.returncode, done.stdout]\n"
    )
    for arguments, expected in [
        (["--egress-allow", f"{host}:{port}"], [0, "hello from outside"]),
        (["--egress", "off", "--egress-allow", f"{host}:{port}"], [7, ""]),
    ]:
        instance = launch(data_dir=tmp_path / arguments[1], arguments=arguments)
        invoke = function(package(curl), "python3.11", instance=instance, memory=128)
        assert invoke({"url": f"http://{host}:{port}/"})[0] == expected, arguments
        instance.kill()


def test_the_public_url_leads_to_the_platform_inside_too(launch, function, tmp_path):
    public = "https://apus.example.com"
    instance = launch(arguments=["--public-url", public])
    invoke = function(package(
        "import os, urllib.request\n"
        "def handle(event, context):\n"
        "    url = os.environ['AWS_ENDPOINT_URL']\n"
        "    with urllib.request.urlopen(url + '/_apus/health', timeout=10) as answer:\n"
        "        return [url, answer.status, answer.url]\n"
    ), "python3.11", instance=instance)
    assert invoke({})[0] == [public, 200, f"{public}/_apus/health"]


def test_what_is_no_rule_and_no_url_is_said(tmp_path):
    import os

    for arguments, said in [
        (["--egress-allow", "10.0.0.1/8"], "bits beyond the prefix are set"),
        (["--public-url", "apus.example.com"], "write it like https://apus.example.com"),
    ]:
        command = [os.environ["APUS_BINARY"], "start", "--port", "0", "--data-dir", str(tmp_path), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert result.returncode != 0 and said in result.stderr, result.stderr
