"""Lambda's asynchronous invocations: accepted, tried, told of, recorded and replayed."""

import base64
import json
import os
import re
import subprocess
import time
import uuid

import pytest
from conftest import ACCOUNT, REGION
from lambda_functions import arn, refused, text

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Fails if it is asked to, and says otherwise what it was called with.
HANDLER = '''
import time

def handle(event, context):
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError(event["fail"])
    if isinstance(event, dict) and event.get("sleep"):
        time.sleep(event["sleep"])
    custom = context.client_context.custom if context.client_context else None
    return {"request": context.aws_request_id, "arn": context.invoked_function_arn, "custom": custom}
'''


def allow(aws, role, actions, resource="*"):
    """Lets a role do that."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]}
    aws.client("iam").put_role_policy(
        RoleName=role.split("/")[-1], PolicyName="allowed", PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def role(aws):
    """A role that Lambda may assume, and that may tell anybody anything."""
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    made = aws.client("iam").create_role(
        RoleName=f"async-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow(aws, made, ["sqs:SendMessage", "lambda:InvokeFunction", "s3:PutObject", "s3:ListBucket"])
    return made


@pytest.fixture
def create(aws, role, name):
    """Makes a function that obeys events; it is deleted after the test."""
    from lambda_functions import RUNTIME, package

    client, made = aws.client("lambda"), []

    def make(function=name, **arguments):
        request = {"FunctionName": function, "Runtime": RUNTIME, "Role": role, "Handler": "handler.handle",
                   "Code": {"ZipFile": package(HANDLER)}, **arguments}
        client.create_function(**request)
        made.append(function)
        return function

    yield make
    for function in made:
        client.delete_function(FunctionName=function)


@pytest.fixture
def queue(aws, name):
    """Makes a queue; its ARN and its URL."""
    sqs = aws.client("sqs")

    def make(suffix):
        url = sqs.create_queue(QueueName=f"{name}-{suffix}")["QueueUrl"]
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-{suffix}", url

    return make


def receive(aws, url):
    """The one message that comes."""
    [message] = aws.client("sqs").receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    return message


def send(client, name, event, **arguments):
    """Sends an event; the id of its request."""
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **arguments)
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in answer and "FunctionError" not in answer and "LogResult" not in answer
    return answer["ResponseMetadata"]["RequestId"]


def apus(aws, *arguments, check=True):
    """Runs `apus` against the instance."""
    env = {**os.environ, "AWS_ENDPOINT_URL": aws.endpoint}
    done = subprocess.run([os.environ["APUS_BINARY"], *arguments], env=env, capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done


def executions(aws, name, wanted):
    """The executions of a function, once there are so many; the platform writes them behind."""
    deadline = time.monotonic() + 30
    while True:
        found = json.loads(apus(aws, "executions", "--function", name, "--json").stdout)
        if len(found) >= wanted or time.monotonic() > deadline:
            return found


def test_success_is_told_field_by_field(aws, create, queue, name):
    create()
    client = aws.client("lambda")
    target, url = queue("done")
    client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": target}})
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    request = send(client, name, {"n": [1, 2.50]}, ClientContext=context)
    message = receive(aws, url)
    record = json.loads(message["Body"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert record == {
        "version": "1.0",
        "requestContext": {"requestId": request, "functionArn": arn(name, "$LATEST"), "condition": "Success",
                           "approximateInvokeCount": 1},
        "requestPayload": {"n": [1, 2.5]},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"request": request, "arn": arn(name), "custom": {"a": "b"}},
    }
    assert "MessageAttributes" not in message


def test_failure_is_told_to_a_destination_and_the_dead_letter_queue(aws, create, queue, name):
    failed, failed_url = queue("failed")
    dead, dead_url = queue("dead")
    create(DeadLetterConfig={"TargetArn": dead})
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": failed}})
    event = {"fail": "no way"}
    request = send(client, name, event)
    record = json.loads(receive(aws, failed_url)["Body"])
    assert record["requestContext"] == {
        "requestId": request, "functionArn": arn(name, "$LATEST"), "condition": "RetriesExhausted",
        "approximateInvokeCount": 1}
    assert record["requestPayload"] == event
    assert record["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert (record["responsePayload"]["errorType"], record["responsePayload"]["errorMessage"]) == (
        "ValueError", "no way")
    letter = receive(aws, dead_url)
    assert json.loads(letter["Body"]) == event
    assert {key: (value["DataType"], value["StringValue"]) for key, value in letter["MessageAttributes"].items()} == {
        "RequestID": ("String", request), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "no way")}
    assert client.get_function_configuration(FunctionName=name)["DeadLetterConfig"] == {"TargetArn": dead}


def test_a_bucket_and_a_function_are_destinations(aws, create, queue, name):
    create()
    chained, url = queue("chained")
    bucket = f"{name}-bin"
    aws.client("s3").create_bucket(Bucket=bucket)
    client = aws.client("lambda")
    last = create(f"{name}-last")
    client.put_function_event_invoke_config(
        FunctionName=last, DestinationConfig={"OnSuccess": {"Destination": chained}})
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={
        "OnSuccess": {"Destination": arn(last)}, "OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}})
    request = send(client, name, 7)
    record = json.loads(receive(aws, url)["Body"])
    assert record["requestPayload"]["requestContext"]["requestId"] == request
    request = send(client, name, {"fail": "no"})
    s3, deadline = aws.client("s3"), time.monotonic() + 30
    while not (found := s3.list_objects_v2(Bucket=bucket).get("Contents", [])) and time.monotonic() < deadline:
        pass
    [key] = [one["Key"] for one in found]
    day = r"aws/lambda/async/" + re.escape(name) + r"/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-" + UUID
    assert re.fullmatch(day, key), key
    assert json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["requestContext"]["requestId"] == request


def test_a_function_for_which_nothing_is_reserved_fails_at_once(aws, create, queue, name):
    failed, url = queue("failed")
    create()
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": failed}})
    send(client, name, {})
    record = json.loads(receive(aws, url)["Body"])
    assert (record["requestContext"]["condition"], record["responseContext"]) == (
        "RetriesExhausted", {"statusCode": 429})


def test_events_that_cannot_be_accepted(aws, create, name):
    create()
    client = aws.client("lambda")
    event = lambda **arguments: {"FunctionName": name, "InvocationType": "Event", **arguments}  # noqa: E731
    size = 1_048_577
    text("RequestTooLargeException", 413,
         f"{size} byte payload is too large for the Event invocation type (limit 1048576 bytes)",
         client.invoke, **event(Payload=b'"' + b"x" * (size - 2) + b'"'))
    refused("InvalidRequestContentException", 400, client.invoke, **event(Payload=b"{"))
    text("InvalidRequestContentException", 400, "Client context must be a valid Base64-encoded JSON object.",
         client.invoke, **event(ClientContext="e30"))
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", client.invoke,
         **event(FunctionName=name + "x"))
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, 'live')}", client.invoke,
         **event(Qualifier="live"))
    text("InvalidParameterValueException", 400,
         "The invoked function is not enabled with tenancy configuration.", client.invoke, **event(TenantId="t"))
    nobody = aws.client("iam").create_role(RoleName=name[:60], AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}))
    keys = aws.client("sts").assume_role(RoleArn=nobody["Role"]["Arn"], RoleSessionName="nobody")["Credentials"]
    denied = aws.client("lambda", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    refused("AccessDeniedException", 403, denied.invoke, **event())
    refused("AccessDeniedException", 403, denied.invoke_async, FunctionName=name, InvokeArgs=b"{}")


def test_the_operation_of_older_clients(aws, create, name):
    create()
    client = aws.client("lambda")
    assert client.invoke_async(FunctionName=name, InvokeArgs=b'{"old": 1}')["Status"] == 202
    [one] = executions(aws, name, 1)
    assert (one["trigger"], one["status"], one["ended"], one["eventBytes"]) == ("event", "succeeded", "Success", 10)
    refused("InvalidRequestContentException", 400, client.invoke_async, FunctionName=name, InvokeArgs=b"{")
    refused("ResourceNotFoundException", 404, client.invoke_async, FunctionName=name + "x", InvokeArgs=b"{}")


def test_destinations_that_the_role_may_not_tell(aws, create, queue, name):
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    poor = aws.client("iam").create_role(RoleName=f"p-{name}"[:60], AssumeRolePolicyDocument=json.dumps(trust))
    create(Role=poor["Role"]["Arn"])
    client = aws.client("lambda")
    target, _ = queue("target")
    for verb, kind in (("SendMessage", target), ("PutObject", "arn:aws:s3:::nowhere"),
                       ("InvokeFunction", arn("another"))):
        text("InvalidParameterValueException", 400,
             f"The function's execution role does not have permissions to call {verb} on {kind}",
             client.put_function_event_invoke_config, FunctionName=name,
             DestinationConfig={"OnFailure": {"Destination": kind}})
    text("InvalidParameterValueException", 400,
         "The provided execution role does not have permissions to call SendMessage on SQS",
         client.update_function_configuration, FunctionName=name, DeadLetterConfig={"TargetArn": target})
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    error = refused("NotImplementedException", 501, client.put_function_event_invoke_config, FunctionName=name,
                    DestinationConfig={"OnSuccess": {"Destination": bus}})
    assert "EventBridge" in error["Error"]["Message"]


def test_executions_are_recorded_and_replayed(aws, create, name):
    create(MemorySize=256)
    client = aws.client("lambda")
    first = client.invoke(FunctionName=name, Payload=b'{"n": 1}')["ResponseMetadata"]["RequestId"]
    second = client.invoke(FunctionName=name, Payload=b'{"fail": "on purpose"}')["ResponseMetadata"]["RequestId"]
    newer, older = executions(aws, name, 2)
    assert (older["requestId"], newer["requestId"]) == (first, second)
    for one in (newer, older):
        assert (one["function"], one["version"], one["trigger"], one["memoryMb"], one["attempt"]) == (
            name, "$LATEST", "sync", 256, 1)
        assert one["invokedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
        assert one["durationMs"] > 0 and one["billedMs"] >= 1
        assert f"START RequestId: {one['requestId']}" in one["log"] and "REPORT" in one["log"]
    assert (older["status"], older["cold"], older["errorType"]) == (
        "succeeded", "the function's first environment since the platform started", None)
    assert older["initMs"] > 0
    assert (newer["status"], newer["cold"], newer["errorType"], newer["errorMessage"]) == (
        "failed", None, "ValueError", "on purpose")
    # For people: a line each, the newest first.
    lines = apus(aws, "executions", "--function", name).stdout.splitlines()
    assert [second in lines[0], first in lines[1]] == [True, True], lines
    assert lines[0].endswith("ValueError: on purpose")
    assert json.loads(apus(aws, "replay", first).stdout)["arn"] == arn(name)
    failed = apus(aws, "replay", second, check=False)
    assert failed.returncode == 1 and json.loads(failed.stdout)["errorMessage"] == "on purpose"
    assert len(executions(aws, name, 4)) == 4
    # What was an event is one again; what is too large was not kept; what is not there is said.
    small = send(client, name, {"n": 2})
    large = send(client, name, {"n": "x" * 40_000})
    assert len(executions(aws, name, 6)) == 6
    assert "will get the event again, as request" in apus(aws, "replay", small).stdout
    assert len(executions(aws, name, 7)) == 7
    refusal = apus(aws, "replay", large, check=False)
    assert refusal.returncode == 1 and "40009 bytes" in refusal.stderr, refusal.stderr
    unknown = apus(aws, "replay", str(uuid.uuid4()), check=False)
    assert unknown.returncode == 1 and "is kept" in unknown.stderr


def test_records_of_executions_are_not_for_everybody(aws):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(aws.endpoint + "/_apus/executions", timeout=10)
    assert error.value.code == 403
    env = {**os.environ, "AWS_ENDPOINT_URL": aws.endpoint, "AWS_SECRET_ACCESS_KEY": "wrong",
           "AWS_ACCESS_KEY_ID": "ASIAX"}
    done = subprocess.run([os.environ["APUS_BINARY"], "executions"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "", done
    assert "no instance answers" in apus(aws, "executions", "--endpoint-url", "http://127.0.0.1:1", check=False).stderr


def test_the_cli_sends_events(aws, create, name, tmp_path):
    create()
    out = tmp_path / "out"
    done = aws.cli("lambda", "invoke", "--function-name", name, "--invocation-type", "Event", "--payload", "{}", out)
    assert json.loads(done.stdout) == {"StatusCode": 202}
    assert out.read_text() == ""
    assert [one["status"] for one in executions(aws, name, 1)] == ["succeeded"]
