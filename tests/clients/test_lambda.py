"""Lambda: functions are made, shown, listed, run and deleted, and every refusal is AWS's."""

import base64
import hashlib
import io
import json
import re
import shutil
import textwrap
import zipfile

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, repository

RUNTIME = "python3.11"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
REQUEST_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# What a function needs to call the platform without any library: one signed request.
SIGNED = '''
import datetime, hashlib, hmac, os, urllib.error, urllib.parse, urllib.request

def call(service, method, path, body=b"", headers=(), keys=None):
    """One request signed with SigV4; the status and the body of the answer."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    region = os.environ["AWS_REGION"]
    key, secret, token = keys or (
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(body).hexdigest()
    signed = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": now, "x-amz-content-sha256": payload}
    if token:
        signed["x-amz-security-token"] = token
    signed.update(headers)
    names = sorted(signed)
    canonical = "\\n".join([method, path, "", *[f"{n}:{signed[n]}" for n in names], "", ";".join(names), payload])
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = "\\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    step = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        step = hmac.new(step, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(step, text.encode(), hashlib.sha256).hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}")
    request = urllib.request.Request(
        endpoint + path, data=body or None, method=method, headers={**signed, "authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
'''

WHO = SIGNED + '''
def handle(event, context):
    form = {"content-type": "application/x-www-form-urlencoded"}
    who = b"Action=GetCallerIdentity&Version=2011-06-15"
    keys = tuple(event["keys"]) if "keys" in event else None
    status, body = call("sts", "POST", "/", who, form, keys)
    return {"status": status, "body": body}
'''

SEND = SIGNED + '''
import json

def handle(event, context):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    body = json.dumps({"QueueUrl": event["queue"], "MessageBody": "from inside"}).encode()
    status, body = call("sqs", "POST", "/", body, headers)
    return {"status": status, "body": body}
'''

PROBE = '''
import os

def handle(event, context):
    print("looking at", event)
    return {
        "event": event,
        "variables": dict(os.environ),
        "arn": context.invoked_function_arn,
        "request": context.aws_request_id,
        "limit": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(),
        "client": context.client_context and context.client_context.custom,
    }
'''


SHELL_RUNTIME = """#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
served=0
while true; do
  head=$(mktemp)
  event=$(curl -sS -D "$head" "$api/next")
  id=$(grep -i '^lambda-runtime-aws-request-id:' "$head" | tr -d '[:space:]' | cut -d: -f2)
  echo "serving $served" >&2
  served=$((served + 1))
  curl -sS -o /dev/null -d "{\\"handler\\": \\"$_HANDLER\\", \\"event\\": $event}" "$api/$id/response"
done
"""


def package(source=None, files=None, modes=None):
    """A zip with handler.py, or with these files."""
    files = files or {"handler.py": textwrap.dedent(source or "def handle(event, context):\n    return event\n")}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = (modes or {}).get(path, 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def arn(name, qualifier=None):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" + (f":{qualifier}" if qualifier else "")


@pytest.fixture(scope="module")
def role(aws):
    """The ARN of a role that Lambda may assume."""
    iam = aws.client("iam")
    return iam.create_role(RoleName="lambda-tests", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


@pytest.fixture
def create(aws, role, name):
    """Makes a function, which is deleted after the test."""
    client = aws.client("lambda")
    made = []

    def make(source=None, function=name, code=None, **arguments):
        request = {
            "FunctionName": function,
            "Runtime": RUNTIME,
            "Role": role,
            "Handler": "handler.handle",
            "Code": code or {"ZipFile": package(source)},
            **arguments,
        }
        answer = client.create_function(**{key: value for key, value in request.items() if value is not None})
        made.append(function)
        return answer

    yield make
    for function in made:
        try:
            client.delete_function(FunctionName=function)
        except client.exceptions.ResourceNotFoundException:
            pass


def invoke(aws, name, event=None, **arguments):
    """Runs a function; the answer with its payload read."""
    if event is not None:
        arguments["Payload"] = json.dumps(event)
    answer = aws.client("lambda").invoke(FunctionName=name, **arguments)
    answer["Payload"] = answer["Payload"].read()
    return answer


def refused(code, status, call, /, **arguments):
    """Calls, expects that error, and returns the response."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    found = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert found == (code, status), response
    return response


def test_a_function_is_shown_as_it_was_made(aws, create, role, name):
    code = package()
    made = create(
        code={"ZipFile": code},
        Description="echoes",
        Timeout=7,
        MemorySize=256,
        EphemeralStorage={"Size": 600},
        Environment={"Variables": {"A": "ä"}},
        Tags={"team": "one"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    made.pop("ResponseMetadata")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", made.pop("LastModified"))
    assert re.fullmatch(REQUEST_ID, made.pop("RevisionId"))
    assert made.pop("Architectures") in (["x86_64"], ["arm64"])
    assert made == {
        "FunctionName": name,
        "FunctionArn": arn(name),
        "Runtime": RUNTIME,
        "Role": role,
        "Handler": "handler.handle",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "echoes",
        "Timeout": 7,
        "MemorySize": 256,
        "Version": "$LATEST",
        "Environment": {"Variables": {"A": "ä"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "EphemeralStorage": {"Size": 600},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    client = aws.client("lambda")
    for waiter in ("function_exists", "function_active", "function_active_v2", "function_updated", "function_updated_v2"):
        client.get_waiter(waiter).wait(FunctionName=name)
    for reason in ("StateReason", "StateReasonCode"):
        made.pop(reason)
    made.update({"State": "Active", "LastUpdateStatus": "Successful"})
    for text in (name, arn(name), f"{ACCOUNT}:function:{name}"):
        shown = client.get_function(FunctionName=text)
        assert made.items() <= shown["Configuration"].items()
        assert (shown["Tags"], shown["Code"]["RepositoryType"]) == ({"team": "one"}, "S3")
        assert made.items() <= client.get_function_configuration(FunctionName=text).items()
    latest = client.get_function(FunctionName=name, Qualifier="$LATEST")
    assert latest["Configuration"]["FunctionArn"] == arn(name, "$LATEST")


def test_defaults_are_lambdas(create):
    made = create()
    assert (made["Timeout"], made["MemorySize"], made["EphemeralStorage"]) == (3, 128, {"Size": 512})
    assert made["Description"] == ""
    assert "Environment" not in made


def test_a_deleted_function_is_gone(aws, create, name):
    create()
    client = aws.client("lambda")
    message = "$LATEST version cannot be deleted without deleting the function."
    error = refused("InvalidParameterValueException", 400, client.delete_function, FunctionName=name, Qualifier="$LATEST")
    assert error["Error"]["Message"] == message
    deleted = client.delete_function(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_function, client.get_function_configuration, client.delete_function, client.invoke):
        error = refused("ResourceNotFoundException", 404, call, FunctionName=name)
        assert (error["Error"]["Message"], error["Type"]) == (f"Function not found: {arn(name)}", "User")


def test_functions_are_listed_in_pages_by_name(aws, create, name):
    names = [f"{name}-{number}" for number in range(3)]
    for one in reversed(names):
        create(function=one)
    pages = aws.client("lambda").get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    listed = [one for page in pages for one in page["Functions"]]
    assert [one["FunctionName"] for one in listed if one["FunctionName"] in names] == names
    assert all("State" not in one and one["Version"] == "$LATEST" for one in listed)


def test_names_that_are_taken_or_lead_elsewhere_are_refused(aws, create, name):
    create()
    error = refused("ResourceConflictException", 409, create)
    assert (error["Error"]["Message"], error["Type"]) == (f"Function already exist: {name}", "User")
    client = aws.client("lambda")
    error = refused("ResourceNotFoundException", 404, client.get_function, FunctionName=name, Qualifier="7")
    assert error["Error"]["Message"] == f"Function not found: {arn(name, '7')}"
    elsewhere = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}"
    error = refused("ResourceNotFoundException", 404, client.get_function, FunctionName=elsewhere)
    assert error["Error"]["Message"] == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"MemorySize": 10241}, "ValidationException", "less than or equal to 10240"),
        ({"Handler": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException",
         "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException",
         "exceeded the 4KB limit"),
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/nobody-has-it"}, "InvalidParameterValueException",
         "The role defined for the function cannot be assumed by Lambda."),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", UNZIP),
        ({"Code": {"ZipFile": package(files={"../evil.py": ""})}}, "InvalidParameterValueException", UNZIP),
        ({"Code": {"ZipFile": package(files={"/evil.py": ""})}}, "InvalidParameterValueException", UNZIP),
        ({"Code": {"ZipFile": package(files={"a.py": "", "evil": "/etc/passwd"}, modes={"evil": 0o120777})}},
         "InvalidParameterValueException", UNZIP),
        ({"Code": {"S3Bucket": "no-such-bucket-anywhere", "S3Key": "k"}}, "InvalidParameterValueException",
         "Error occurred while GetObject. S3 Error Code: NoSuchBucket."),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:24],
)
def test_what_a_function_may_not_be(create, arguments, code, message):
    arguments = dict(arguments)
    function_code = arguments.pop("Code", None)
    error = refused(code, 400, create, code=function_code, **arguments)
    assert message in error["Error"]["Message"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"Runtime": "dotnet8"}, "dotnet8"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "VpcConfig"),
        ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart"),
        ({"DeadLetterConfig": {"TargetArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}}, "SNS"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_apus_lacks_is_refused_by_name(create, arguments, what):
    with pytest.raises(ClientError) as error:
        create(**arguments)
    assert what in error.value.response["Error"]["Message"]


def test_code_may_come_from_a_bucket(aws, create, name):
    s3 = aws.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="code.zip", Body=package("def handle(event, context):\n    return 'bucket'\n"))
    create(code={"S3Bucket": name, "S3Key": "code.zip"})
    assert json.loads(invoke(aws, name)["Payload"]) == "bucket"


def test_the_hello_function_greets(aws, create, name):
    source = (repository() / "examples/hello/handler.py").read_text()
    create(source, Handler="handler.handle_request")
    answer = invoke(aws, name, {"name": "Apus"}, LogType="Tail")
    assert json.loads(answer["Payload"]) == {"message": "Hello, Apus!"}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    request = answer["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0] == f"START RequestId: {request} Version: $LATEST"
    assert lines[1] == f"greeting Apus in request {request}"
    assert lines[-2] == f"END RequestId: {request}"
    report = (
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\t(Init Duration: \d+\.\d\d ms\t)?"
    )
    assert re.fullmatch(report, lines[-1]), lines[-1]

    failed = invoke(aws, name, {})
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    error = json.loads(failed["Payload"])
    assert (error["errorMessage"], error["errorType"]) == ("name is empty", "ValueError")
    assert 'raise ValueError("name is empty")' in error["stackTrace"][-1]
    assert "LogResult" not in failed


def test_a_function_finds_its_surroundings(aws, create, name):
    create(PROBE, Environment={"Variables": {"MINE": "yes"}}, MemorySize=192, Timeout=9)
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    answer = invoke(aws, f"{name}:$LATEST", {"x": [1, None, "é"]}, ClientContext=context)
    found = json.loads(answer["Payload"])
    assert found["event"] == {"x": [1, None, "é"]}
    assert found["arn"] == arn(name, "$LATEST")
    assert found["request"] == answer["ResponseMetadata"]["RequestId"]
    assert (int(found["limit"]), found["client"]) == (192, {"a": "b"})
    assert 0 < found["left"] <= 9000
    variables = found["variables"]
    expected = {
        "MINE": "yes",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "192",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_HANDLER": "handler.handle",
    }
    assert expected.items() <= variables.items()
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", variables["AWS_LAMBDA_LOG_STREAM_NAME"])
    assert variables["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_a_function_is_its_role_and_nobody_else(aws, create, role, name):
    create(WHO, Timeout=15)
    answer = json.loads(invoke(aws, name, {})["Payload"])
    assert answer["status"] == 200, answer
    assert f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role.split('/')[-1]}/{name}</Arn>" in answer["body"]
    # The keys of the development instance, which open every other door, do not open this one.
    answer = json.loads(invoke(aws, name, {"keys": ["test", "test", None]})["Payload"])
    assert answer["status"] == 403, answer
    assert "InvalidClientTokenId" in answer["body"]


# Whoever is let in elsewhere: the development instance's own keys, and the keys of any account by its number.
FOREIGN_KEYS = [["test", "test"], ["000000000000", "test"], ["123456789012", "test"], ["AKIDEXAMPLE", "test"]]


@pytest.mark.parametrize("setting", [[], ["--iam", "soft"]], ids=["enforced", "soft"])
def test_no_foreign_key_signs_inside_under_any_setting(launch, name, setting):
    instance = launch(arguments=setting)
    role = instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    instance.client("lambda").create_function(
        FunctionName=name, Runtime=RUNTIME, Role=role, Handler="handler.handle", Timeout=15, Code={"ZipFile": package(WHO)}
    )
    # The positive control: its own keys are let in, and each of the foreign ones that exists is let in outside.
    answer = json.loads(invoke(instance, name, {})["Payload"])
    assert answer["status"] == 200, answer
    for key, secret in FOREIGN_KEYS[:3]:
        who = instance.client("sts", access_key=key, secret=secret).get_caller_identity()
        assert who["Account"] == (ACCOUNT if key == "test" else key)
    for key, secret in FOREIGN_KEYS:
        for token in (None, "forged"):
            answer = json.loads(invoke(instance, name, {"keys": [key, secret, token]})["Payload"])
            assert answer["status"] == 403, (key, token, answer)
            assert "InvalidClientTokenId" in answer["body"], (key, token, answer)


def test_a_function_does_what_its_role_may(aws, create, role, name):
    queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    create(SEND, Timeout=15)
    denied = json.loads(invoke(aws, name, {"queue": queue})["Payload"])
    assert (denied["status"], "not authorized to perform: sqs:SendMessage" in denied["body"]) == (403, True), denied
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
    iam = aws.client("iam")
    role_name = role.split("/")[-1]
    iam.put_role_policy(RoleName=role_name, PolicyName="send", PolicyDocument=json.dumps(policy))
    try:
        sent = json.loads(invoke(aws, name, {"queue": queue})["Payload"])
    finally:
        iam.delete_role_policy(RoleName=role_name, PolicyName="send")
    assert sent["status"] == 200, sent
    messages = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert [message["Body"] for message in messages] == ["from inside"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the runtime in shell needs curl")
@pytest.mark.parametrize(("runtime", "program", "handler"), [
    ("provided.al2023", "bootstrap", "any.name"), ("provided.al2", "bootstrap", "x"), ("go1.x", "main", "main"),
])
def test_a_function_may_bring_its_runtime(aws, create, name, runtime, program, handler):
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            entry = zipfile.ZipInfo(program)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, SHELL_RUNTIME)
        create(code={"ZipFile": buffer.getvalue()}, Runtime=runtime, Handler=handler)
    for number in range(3):
        answer = invoke(aws, name, {"number": number}, LogType="Tail")
        assert "FunctionError" not in answer
        assert json.loads(answer["Payload"]) == {"handler": handler, "event": {"number": number}}
        log = base64.b64decode(answer["LogResult"]).decode()
        assert f"serving {number}\n" in log and "REPORT RequestId:" in log


def test_an_invocation_without_an_event_has_an_empty_one(aws, create, name):
    create()
    answer = aws.client("lambda").invoke(FunctionName=name)
    assert json.loads(answer["Payload"].read()) == {}


def test_a_dry_run_runs_nothing(aws, create, name):
    create("def handle(event, context):\n    raise RuntimeError\n")
    answer = invoke(aws, name, {}, InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"]) == (204, b"")
    assert "FunctionError" not in answer
    client = aws.client("lambda")
    refused("ResourceNotFoundException", 404, client.invoke, FunctionName=f"{name}-x", InvocationType="DryRun")


def test_invocations_that_cannot_be(aws, create, name):
    create()
    client = aws.client("lambda")
    error = refused("InvalidRequestContentException", 400, client.invoke, FunctionName=name, Payload=b"{")
    assert error["Error"]["Message"].startswith("Could not parse request body into json: ")
    error = refused("InvalidRequestContentException", 400, client.invoke, FunctionName=name, ClientContext="e30")
    assert error["Error"]["Message"] == "Client context must be a valid Base64-encoded JSON object."
    large = b'"' + b"x" * 6_291_455 + b'"'
    error = refused("RequestTooLargeException", 413, client.invoke, FunctionName=name, Payload=large)
    assert error["Error"]["Message"] == (
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    )


def test_a_function_that_takes_too_long_is_stopped(aws, create, name):
    create("import time\ndef handle(event, context):\n    time.sleep(60)\n", Timeout=1)
    answer = invoke(aws, name, {})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.loads(answer["Payload"])
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_a_function_made_again_runs_its_new_code(aws, create, name):
    client = aws.client("lambda")
    for answer in ("first", "second"):
        create(f"def handle(event, context):\n    return {answer!r}\n")
        assert json.loads(invoke(aws, name)["Payload"]) == answer
        client.delete_function(FunctionName=name)


def test_functions_survive_the_end_of_the_platform(launch, name):
    instance = launch()
    iam, client = instance.client("iam"), instance.client("lambda")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = client.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=role, Handler="handler.handle", Code={"ZipFile": package()}
    )
    instance.kill()
    again = launch(instance.data_dir)
    shown = again.client("lambda").get_function(FunctionName=name)["Configuration"]
    assert shown["RevisionId"] == made["RevisionId"]
    assert json.loads(invoke(again, name, {"still": "there"})["Payload"]) == {"still": "there"}


def test_the_cli_makes_and_runs_a_function(aws, role, name, tmp_path):
    archive, answer = tmp_path / "code.zip", tmp_path / "answer.json"
    archive.write_bytes(package())
    made = aws.cli(
        "lambda", "create-function", "--function-name", name, "--runtime", RUNTIME, "--role", role,
        "--handler", "handler.handle", "--zip-file", f"fileb://{archive}",
    )
    assert json.loads(made.stdout)["FunctionArn"] == arn(name)
    aws.cli("lambda", "wait", "function-active-v2", "--function-name", name)
    ran = aws.cli(
        "lambda", "invoke", "--function-name", name,
        "--payload", '{"a": 1}', answer, check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads(answer.read_text()) == {"a": 1}
    aws.cli("lambda", "delete-function", "--function-name", name)
    gone = aws.cli("lambda", "get-function", "--function-name", name, check=False)
    assert gone.returncode != 0
    assert f"(ResourceNotFoundException) when calling the GetFunction operation: Function not found: {arn(name)}" in gone.stderr
