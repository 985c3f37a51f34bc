"""Lambda: responses reach clients while functions make them."""

import base64
import json
import shutil

import pytest
from botocore.exceptions import ClientError
from lambda_functions import create, package, refused, role  # noqa: F401

# Answers with a piece, waits until there is an object, and answers with another. The request for it is signed here, as a
# function on Node.js has no SDK unless it brings one.
WAITS = """
const { createHash, createHmac } = require('crypto');

function get(where) {
  const url = new URL(process.env.AWS_ENDPOINT_URL + where);
  const time = new Date().toISOString().replace(/[-:]|[.].../g, '');
  const scope = [time.slice(0, 8), process.env.AWS_REGION, 's3', 'aws4_request'];
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const headers = { host: url.host, 'x-amz-content-sha256': hash(''), 'x-amz-date': time, 'x-amz-security-token': process.env.AWS_SESSION_TOKEN };
  const names = Object.keys(headers).join(';');
  const canonical = ['GET', url.pathname, '', ...Object.entries(headers).map(([name, value]) => `${name}:${value}`), '', names, hash('')].join('\\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), hash(canonical)].join('\\n');
  const key = scope.reduce((key, part) => createHmac('sha256', key).update(part).digest(), 'AWS4' + process.env.AWS_SECRET_ACCESS_KEY);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const Authorization = `AWS4-HMAC-SHA256 Credential=${process.env.AWS_ACCESS_KEY_ID}/${scope.join('/')}, SignedHeaders=${names}, Signature=${signature}`;
  return fetch(url, { headers: { ...headers, Authorization } });
}

exports.handle = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('first');
  while (event.gate) {
    const { status } = await get(event.gate);
    if (status === 200) break;
    if (status !== 404) throw new Error(`status ${status}`);
  }
  if (event.fail) throw new RangeError(event.fail);
  stream.write('second');
  stream.end();
  console.log('ended');
});
"""

PLAIN = """
def handle(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    return event
"""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no function runs on Node.js here: there is no `node`")


@pytest.fixture
def stream(create, name):
    """A function that streams."""
    content = package(files={"app.js": WAITS})
    create(Runtime="nodejs20.x", Handler="app.handle", Code={"ZipFile": content}, MemorySize=256, Timeout=20)
    return name


def begin(aws, function, event, **arguments):
    answer = aws.client("lambda").invoke_with_response_stream(
        FunctionName=function, Payload=json.dumps(event), **arguments)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == answer["StatusCode"] == 200
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    return answer


def whole(answer):
    """All pieces as one, and how the invocation ended."""
    pieces, complete = [], None
    for event in answer["EventStream"]:
        assert complete is None, "nothing comes after the end"
        if "PayloadChunk" in event:
            pieces.append(event["PayloadChunk"]["Payload"])
        else:
            complete = event["InvokeComplete"]
    return b"".join(pieces), complete


@pytest.fixture
def gate(aws, name, role):
    """A path at which functions find nothing, and what puts something there."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    aws.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2], PolicyName="gate",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed}))
    return f"/{name}/gate", lambda: s3.put_object(Bucket=name, Key="gate", Body=b"open")


@needs_node
def test_the_first_piece_comes_while_the_handler_waits(aws, stream, gate):
    path, open_gate = gate
    events = iter(begin(aws, stream, {"gate": path}, LogType="Tail")["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    open_gate()
    assert next(events) == {"PayloadChunk": {"Payload": b"second"}}
    complete = next(events)["InvokeComplete"]
    log = base64.b64decode(complete["LogResult"]).decode()
    assert "ErrorCode" not in complete and "REPORT RequestId" in log
    assert list(events) == []


@needs_node
def test_a_client_who_goes_does_not_disturb_the_function(aws, stream, gate):
    path, open_gate = gate
    answer = begin(aws, stream, {"gate": path})
    assert next(iter(answer["EventStream"])) == {"PayloadChunk": {"Payload": b"first"}}
    answer["EventStream"].close()
    open_gate()
    # The one environment has to be done with the first before the second.
    aws.client("lambda").put_function_concurrency(FunctionName=stream, ReservedConcurrentExecutions=1)
    while True:
        try:
            read, complete = whole(begin(aws, stream, {}))
        except ClientError as error:
            # The first one is still served; it would end with its timeout at the latest.
            assert error.response["Error"]["Code"] == "TooManyRequestsException"
        else:
            break
    assert (read, complete) == (b"firstsecond", {})


@needs_node
def test_an_error_midway_comes_behind_the_pieces(aws, stream):
    read, complete = whole(begin(aws, stream, {"fail": "too far"}, LogType="Tail"))
    details = json.loads(complete["ErrorDetails"])
    assert (read, complete["ErrorCode"]) == (b"first", "Unhandled")
    assert (details["errorType"], details["errorMessage"]) == ("RangeError", "too far")


@needs_node
def test_a_stream_is_whole_for_who_only_invokes(aws, stream):
    client = aws.client("lambda")
    assert client.invoke(FunctionName=stream, Payload=b"{}")["Payload"].read() == b"firstsecond"
    failed = client.invoke(FunctionName=stream, Payload=b'{"fail": "no"}')
    assert failed["FunctionError"] == "Unhandled" and json.loads(failed["Payload"].read())["errorType"] == "RangeError"


@needs_node
def test_a_timeout_midway_is_the_end_of_the_stream(aws, stream, gate):
    aws.client("lambda").update_function_configuration(FunctionName=stream, Timeout=1)
    read, complete = whole(begin(aws, stream, {"gate": gate[0]}))
    assert (read, complete["ErrorCode"]) == (b"first", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Sandbox.Timedout"


def test_who_answers_whole_is_one_piece(aws, create, name):
    made = create(PLAIN, Publish=True)
    assert made["Version"] == "1"
    answer = begin(aws, name, {"a": "x" * 100_000}, Qualifier="1")
    assert answer["ExecutedVersion"] == "1"
    read, complete = whole(answer)
    assert (json.loads(read), complete) == ({"a": "x" * 100_000}, {})
    read, complete = whole(begin(aws, name, {"fail": "no"}, LogType="Tail"))
    assert (read, complete["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "no"
    assert "[ERROR] ValueError: no" in base64.b64decode(complete["LogResult"]).decode()


def test_what_cannot_run_is_an_error_and_no_stream(aws, create, name):
    client = aws.client("lambda")
    refused("ResourceNotFoundException", 404, client.invoke_with_response_stream, FunctionName=name)
    create(PLAIN)
    refused("InvalidRequestContentException", 400, client.invoke_with_response_stream, FunctionName=name, Payload=b"{")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    refused("TooManyRequestsException", 429, client.invoke_with_response_stream, FunctionName=name)
    dry = client.invoke_with_response_stream(FunctionName=name, InvocationType="DryRun")
    assert dry["StatusCode"] == 204 and list(dry["EventStream"]) == []
