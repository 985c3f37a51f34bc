"""Lambda: functions find the AWS SDK of their language, as on AWS, and say what to do where it could not be had."""

import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import repository
from lambda_functions import RUNTIME, TRUST, create, invoke, package, role  # noqa: F401 (fixtures)

PINNED = dict(
    re.findall(r"^([\w-]+)==(\S+)", (repository() / "crates/compute/src/sdk/python.txt").read_text(), re.MULTILINE)
)
HINT = re.compile(r"the AWS SDK could not be fetched when the function was created, or --sdk none was chosen")

# What it finds, and a call of the platform: no endpoint and no credentials are named.
PYTHON = """
import boto3, botocore, os

def handle(event, context):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=event["queue"], MessageBody="from boto3")
    try:
        open(os.path.join(os.path.dirname(boto3.__file__), "swift"), "w")
        written = True
    except OSError:
        written = False
    return {
        "versions": {"boto3": boto3.__version__, "botocore": botocore.__version__},
        "place": os.path.dirname(boto3.__file__),
        "compiled": os.path.exists(boto3.__cached__ or ""),
        "written": written,
    }
"""
NODE_USES = """
const send = async (queue) => {
  const sqs = new SQSClient({});
  await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: 'from JavaScript' }));
};
"""
COMMON_JS = "const { SQSClient, SendMessageCommand } = require('@aws-sdk/client-sqs');" + NODE_USES + """
exports.handle = async (event) => { await send(event.queue); return require.resolve('@aws-sdk/client-sqs'); };
"""
MODULE = "import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';" + NODE_USES + """
import { unmarshall } from '@aws-sdk/util-dynamodb';
export const handle = async (event) => {
  await send(event.queue);
  return [unmarshall({ a: { N: '7' } }), import.meta.resolve('@aws-sdk/lib-dynamodb')];
};
"""
needs_node = pytest.mark.skipif(shutil.which("npm") is None, reason="SKIPPED: this host has no `npm`")


def unless_offline(answer):
    """The answer's payload, unless this host reaches no registry."""
    payload = json.loads(answer["Payload"])
    if "FunctionError" in answer and HINT.search(payload["errorMessage"]):
        why = "no registry can be reached from here: the AWS SDKs of functions are not tried"
        print(f"\n*** SKIPPED: {why} ***", file=sys.stderr)
        pytest.skip(why)
    assert "FunctionError" not in answer, payload
    return payload


@pytest.fixture
def queue(aws, name, role):
    """A queue that the tests' role may send to."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    aws.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="send", PolicyDocument=json.dumps(policy))
    return aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]


def received(aws, queue):
    return [one["Body"] for one in aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]]


def test_boto3_is_there_for_python(aws, create, name, queue):
    create(PYTHON, Timeout=30, MemorySize=512)
    found = unless_offline(invoke(aws, name, {"queue": queue}))
    assert found == {
        "versions": {name: PINNED[name] for name in ("boto3", "botocore")},
        "place": "/var/runtime/site-packages/boto3", "compiled": True, "written": False,
    }
    assert received(aws, queue) == ["from boto3"]


def test_a_function_s_own_and_its_layers_come_first(aws, create, name):
    source = "import boto3\ndef handle(event, context):\n    return boto3.WHOSE\n"
    layer = aws.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": package(files={"python/boto3.py": "WHOSE = 'the layer'"})})["LayerVersionArn"]
    create(source, Layers=[layer])
    assert json.loads(invoke(aws, name, {})["Payload"]) == "the layer"
    own = package(files={"handler.py": source, "boto3.py": "WHOSE = 'the function'"})
    create(Code={"ZipFile": own}, Layers=[layer], function=f"{name}-own")
    assert json.loads(invoke(aws, f"{name}-own", {})["Payload"]) == "the function"


@needs_node
@pytest.mark.parametrize(("file", "source", "expected"), [
    ("handler.js", COMMON_JS, r"/var/runtime/node_modules/@aws-sdk/client-sqs/.*"),
    ("handler.mjs", MODULE, r"file:///var/runtime/node_modules/@aws-sdk/lib-dynamodb/.*"),
])
def test_the_sdk_for_javascript_is_there(aws, create, name, queue, file, source, expected):
    create(Code={"ZipFile": package(files={file: source})}, Runtime="nodejs20.x", Timeout=30, MemorySize=512)
    found = unless_offline(invoke(aws, name, {"queue": queue}))
    if file == "handler.mjs":
        unmarshalled, found = found
        assert unmarshalled == {"a": 7}
    assert re.fullmatch(expected, found)
    assert received(aws, queue) == ["from JavaScript"]


@needs_node
@pytest.mark.parametrize("place", ["nodejs/node_modules", "nodejs/node20/node_modules"])
@pytest.mark.parametrize(("file", "source"), [
    ("handler.js", "const nest = require('nest');\nexports.handle = async () => nest.eggs;"),
    ("handler.mjs", "import nest from 'nest';\nexport const handle = async () => nest.eggs;"),
    ("handler.mjs", "export const handle = async () => (await import('nest')).default.eggs;"),
], ids=["require", "import", "lazy"])
def test_modules_of_layers_are_found_however_they_are_asked_for(aws, create, name, place, file, source):
    nest = package(files={f"{place}/nest/index.js": "exports.eggs = 3;", f"{place}/nest/package.json": '{"name": "nest"}'})
    layer = aws.client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": nest})["LayerVersionArn"]
    create(Code={"ZipFile": package(files={file: source})}, Runtime="nodejs20.x", Layers=[layer])
    answer = invoke(aws, name, {})
    assert json.loads(answer["Payload"]) == 3


def elsewhere(tmp_path, **variables):
    """The surroundings of an instance with a cache of its own."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), **variables}


def role_of(instance, name):
    return instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


def make(instance, role, function, source, runtime=RUNTIME, file="handler.py"):
    instance.client("lambda").create_function(
        FunctionName=function, Runtime=runtime, Role=role, Handler="handler.handle", Timeout=30, MemorySize=512,
        Code={"ZipFile": package(files={file: source})})


def test_offline_functions_are_made_and_those_that_need_no_sdk_run(launch, name, tmp_path):
    nowhere = "http://127.0.0.1:9/"
    env = elsewhere(
        tmp_path, PIP_INDEX_URL=nowhere, PIP_FIND_LINKS="", PIP_NO_CACHE_DIR="1", PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0",
        npm_config_registry=nowhere, npm_config_cache=str(tmp_path / "npm"), npm_config_fetch_retries="0",
    )
    with open(tmp_path / "log", "w+") as log:
        instance = launch(env=env, stderr=log)
        role = role_of(instance, name)
        make(instance, role, "plain", "def handle(event, context):\n    return 'well'\n")
        make(instance, role, "needs", "import boto3\ndef handle(event, context):\n    return 1\n")
        make(instance, role, "lazily", "def handle(event, context):\n    import boto3\n")
        assert json.loads(invoke(instance, "plain", {})["Payload"]) == "well"
        error = json.loads(invoke(instance, "needs", {})["Payload"])
        assert error["errorType"] == "Runtime.ImportModuleError" and HINT.search(error["errorMessage"]), error
        error = json.loads(invoke(instance, "lazily", {})["Payload"])
        assert error["errorType"] == "ModuleNotFoundError" and HINT.search(error["errorMessage"]), error
        if shutil.which("npm"):
            uses = "const { SQSClient } = require('@aws-sdk/client-sqs');\nexports.handle = async () => 1;"
            make(instance, role, "script", uses, "nodejs20.x", "handler.js")
            error = json.loads(invoke(instance, "script", {})["Payload"])
            assert error["errorType"] == "Runtime.ImportModuleError" and HINT.search(error["errorMessage"]), error
        log.seek(0)
        said = log.read()
    # Told once when it was tried, and with every function why it is not there.
    assert said.count("fetching the AWS SDK for Python (boto3)") == 1, said
    assert said.count("could not be fetched with pip") == 3 and "PIP_INDEX_URL names another registry" in said, said
    assert list((tmp_path / "cache/apus/sdk").iterdir()) == []


def test_without_sdks_nothing_is_fetched(launch, name, tmp_path):
    instance = launch(arguments=["--sdk", "none"], env=elsewhere(tmp_path))
    make(instance, role_of(instance, name), "needs", "import boto3\ndef handle(event, context):\n    return 1\n")
    error = json.loads(invoke(instance, "needs", {})["Payload"])
    assert error["errorType"] == "Runtime.ImportModuleError" and HINT.search(error["errorMessage"]), error
    assert not (tmp_path / "cache").exists()


def test_many_functions_at_once_fetch_once(launch, name, tmp_path):
    with open(tmp_path / "log", "w+") as log:
        instance = launch(env=elsewhere(tmp_path), stderr=log)
        role = role_of(instance, name)
        source = "import boto3\ndef handle(event, context):\n    return boto3.__version__\n"
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda number: make(instance, role, f"one-{number}", source), range(4)))
        for number in range(4):
            assert unless_offline(invoke(instance, f"one-{number}", {})) == PINNED["boto3"]
        log.seek(0)
        said = log.read()
    assert said.count("fetching") == 1 and "is there" in said, said
    kept = [path.name for path in (tmp_path / "cache/apus/sdk").iterdir()]
    assert len(kept) == 1 and kept[0].startswith("python-3.11-"), kept
