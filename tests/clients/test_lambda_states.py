"""Lambda: what it takes long to make is Pending or InProgress meanwhile, and survives the end of the platform.

The AWS SDK is fetched from an index that answers when the test says so: until then nothing that needs it is ready.
"""

import contextlib
import http.server
import json
import os
import shutil
import threading

import pytest
from botocore.exceptions import WaiterError
from conftest import settled
from lambda_functions import TRUST, invoke, package, refused

PENDING = (
    "The operation cannot be performed at this time. The function is currently in the following state: Pending"
)
RUNTIME = "python3.11"
# Runs as `provided.al2023` and, by another handler, as Python.
BOTH = {
    "bootstrap": """#!/bin/sh
while true; do
  head=$(curl -sSD - -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
  id=$(echo "$head" | grep -i lambda-runtime-aws-request-id | cut -d' ' -f2 | tr -d '\\r')
  curl -sS -d '"old"' "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" >/dev/null
done
""",
    "handler.py": "def handle(event, context):\n    return 'new'\n",
}


@pytest.fixture
def index():
    """An index of packages that has none, and says so when it is `open`."""
    opened, asked = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.set()
            opened.wait()
            with contextlib.suppress(OSError):
                self.send_error(404)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.opened, server.asked = opened, asked
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    opened.set()
    server.shutdown()


@pytest.fixture
def slow(launch, index, tmp_path):
    """Starts instances that fetch from that index."""

    def start(data_dir=None, **variables):
        env = {
            **os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1",
            "PIP_INDEX_URL": f"http://127.0.0.1:{index.server_port}/", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0",
            **variables,
        }
        return launch(data_dir, env=env)

    return start


def make(instance, name, runtime, client):
    role = instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    return client.create_function(
        FunctionName=name, Runtime=runtime, Role=role, Handler="handler.handle", Code={"ZipFile": package(files=BOTH, modes={"bootstrap": 0o100755})})


def standing(client, name, **arguments):
    found = client.get_function_configuration(FunctionName=name, **arguments)
    return found["State"], found.get("LastUpdateStatus")


def wait(client, name):
    settled(client, type("Response", (), {"status_code": 200}), {"FunctionName": name, "Version": "$LATEST"})


def conflict(message, call, **arguments):
    error = refused("ResourceConflictException", 409, call, **arguments)
    assert (error["Error"]["Message"], error["Type"]) == (message, "User")


def test_what_is_pending_is_refused_and_goes_on_after_a_crash(slow, index, name):
    instance = slow()
    client = instance.client("lambda", settle=False)
    made = make(instance, name, RUNTIME, client)
    assert made["State"] == "Pending"
    assert index.asked.wait(30)
    assert standing(client, name) == ("Pending", None)
    for call, arguments in (
        (client.invoke, {}),
        (client.invoke, {"InvocationType": "Event"}),
        (client.invoke, {"InvocationType": "DryRun"}),
        (client.invoke_with_response_stream, {}),
        (client.invoke_async, {"InvokeArgs": b"{}"}),
        (client.update_function_code, {"ZipFile": package()}),
        (client.update_function_configuration, {"Timeout": 9}),
        (client.publish_version, {}),
    ):
        conflict(PENDING, call, FunctionName=name, **arguments)
    instance.kill()
    index.asked.clear()
    again = slow(instance.data_dir)
    client = again.client("lambda", settle=False)
    assert index.asked.wait(30)
    assert standing(client, name) == ("Pending", None)
    index.opened.set()
    wait(client, name)
    assert standing(client, name) == ("Active", "Successful")
    assert json.loads(invoke(again, name, {})["Payload"]) == "new"


def test_the_old_runs_until_an_update_is_through(slow, index, name):
    instance = slow()
    client = instance.client("lambda", settle=False)
    function = make(instance, name, "provided.al2023", client)["FunctionArn"]
    wait(client, name)

    def answer():
        return json.loads(invoke(instance, name, {})["Payload"])

    assert answer() == "old"
    updated = client.update_function_configuration(FunctionName=name, Runtime=RUNTIME)
    assert (updated["Runtime"], updated["State"], updated["LastUpdateStatus"]) == (RUNTIME, "Active", "InProgress")
    assert index.asked.wait(30)
    message = f"The operation cannot be performed at this time. An update is in progress for resource: {function}"
    for call, arguments in (
        (client.update_function_code, {"ZipFile": package()}),
        (client.update_function_configuration, {"Timeout": 9}),
        (client.publish_version, {}),
    ):
        conflict(message, call, FunctionName=name, **arguments)
    assert answer() == "old"
    instance.kill()
    instance = slow(instance.data_dir)
    client = instance.client("lambda", settle=False)
    assert standing(client, name) == ("Active", "InProgress")
    assert answer() == "old"
    index.opened.set()
    wait(client, name)
    assert answer() == "new"


def test_what_cannot_be_made_ready_says_so_and_leaves_the_old_running(slow, index, name):
    instance = slow()
    client = instance.client("lambda", settle=False)
    make(instance, name, "provided.al2023", client)
    wait(client, name)
    blobs = instance.data_dir / "store/blobs"
    sound = {path for path in blobs.rglob("*") if path.is_file()}
    layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": package("x = 1")})["LayerVersionArn"]
    client.update_function_configuration(FunctionName=name, Runtime=RUNTIME, Layers=[layer])
    role = client.get_function_configuration(FunctionName=name)["Role"]
    client.create_function(FunctionName=f"{name}-2", Runtime=RUNTIME, Role=role, Handler="handler.handle",
                           Code={"ZipFile": package("x = 2")}, Publish=True)
    assert index.asked.wait(30)
    instance.kill()
    # The code of both is damaged, and has to be unpacked again.
    for path in blobs.rglob("*"):
        if path.is_file() and path not in sound:
            path.write_bytes(b"damaged" + path.read_bytes())
    shutil.rmtree(instance.data_dir / "code")
    instance = slow(instance.data_dir)
    client = instance.client("lambda", settle=False)
    with pytest.raises(WaiterError, match='matched expected path: "Failed"'):
        wait(client, name)
    with pytest.raises(WaiterError, match='matched expected path: "Failed"'):
        wait(client, f"{name}-2")
    with pytest.raises(WaiterError, match='matched expected path: "Failed"'):
        client.get_waiter("published_version_active").wait(FunctionName=f"{name}-2", Qualifier="1")
    shown = client.get_function_configuration(FunctionName=name)
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Failed")
    assert shown["LastUpdateStatusReasonCode"] == "InternalError"
    assert "could not be unpacked" in shown["LastUpdateStatusReason"]
    assert json.loads(invoke(instance, name, {})["Payload"]) == "old"
    failed = client.get_function_configuration(FunctionName=f"{name}-2")
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "InternalError")
    assert "LastUpdateStatus" not in failed
    for qualifier in ("$LATEST", "1"):
        conflict(PENDING.replace("Pending", "Failed"), client.invoke, FunctionName=f"{name}-2", Qualifier=qualifier)
    # An update that can be ends the matter.
    client.update_function_configuration(FunctionName=name, Runtime="provided.al2023", Layers=[])
    wait(client, name)
    assert standing(client, name) == ("Active", "Successful")
    assert json.loads(invoke(instance, name, {})["Payload"]) == "old"
