"""Inside a container that allows no namespaces: functions run if that is accepted, what is weaker is said, and nobody
inside a function is the root of an account."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from conftest import ACCOUNT, REGION, Instance
from test_lambda import TRUST, package

# A user that hosts give to nobody.
USER = 199_998
CONTAINER = Path(__file__).parent / "container.py"

# Signs as the role, as nobody can but outside, and at a listener that it opens by itself.
HANDLER = '''
import datetime, hashlib, hmac, json, os, urllib.error, urllib.request

def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()

def call(access_key, secret, token=None):
    url = os.environ["AWS_ENDPOINT_URL"]
    host = url.split("//")[1]
    region = os.environ["AWS_REGION"]
    now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"host": host, "x-amz-date": now}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names,
                           hashlib.sha256(body.encode()).hexdigest()])
    scope = f"{now[:8]}/{region}/sts/aws4_request"
    text = "\\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (now[:8], region, "sts", "aws4_request"):
        key = sign(key, part)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}")
    headers["content-type"] = "application/x-www-form-urlencoded"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"

def handle(event, context):
    own = [os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    return {"own": call(*own), "test": call("test", "test"), "account": call("000000000000", "test"),
            "name": event["name"]}
'''


@pytest.fixture(params=["root", "an ordinary user"])
def contained(request):
    """`(how the binary is started, directory, whether it is root's)`."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: only root can take privileges away as a container does")
    # Neither the build's directory nor pytest's own may be entered by others.
    directory = Path(tempfile.mkdtemp(prefix="apus-container-", dir="/tmp"))
    directory.chmod(0o755)
    is_root = request.param == "root"
    if not is_root:
        os.chown(directory, USER, USER)
    shutil.copy(os.environ["APUS_BINARY"], directory / "apus")
    (directory / "apus").chmod(0o755)
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    shutil.copy(CONTAINER, directory)
    command = [python, directory / "container.py", *([] if is_root else ["--user", str(USER)]), directory / "apus"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory)}
    running = []

    def start(*arguments, run=subprocess.run, **more):
        started = run([*map(str, command), *arguments], env=environment, cwd=directory, text=True,
                      stdout=subprocess.PIPE, **more)
        running.append(started)
        return started

    yield start, directory, is_root
    for process in running:
        if isinstance(process, subprocess.Popen):
            process.kill()
            process.wait()
    shutil.rmtree(directory)


def test_it_is_refused_unless_accepted(contained):
    start, _, _ = contained
    said = start("doctor")
    assert said.returncode != 0
    assert "functions run here only with --accept-isolation=container" in said.stdout, said.stdout
    assert re.search(r"LACKS user namespaces: they cannot be made: Operation not permitted", said.stdout), said.stdout
    assert "docker run --privileged" in said.stdout
    refused = start("start", "--port", "0", "--ephemeral", stderr=subprocess.PIPE, timeout=60)
    assert refused.returncode != 0
    assert "isolation level `rootless` is not possible here" in refused.stderr, refused.stderr
    assert "--accept-isolation=container" in refused.stderr
    assert "functions see this host's programs, processes and network" in refused.stderr


@pytest.mark.parametrize("accepted", ["container", "none"])
def test_functions_run_and_are_their_roles_only(contained, name, accepted):
    start, directory, is_root = contained
    process = start("start", "--port", "0", "--data-dir", str(directory / "data"), f"--accept-isolation={accepted}",
                    run=subprocess.Popen)
    line = process.stdout.readline()
    assert "isolation level container, weaker: functions see this host's programs" in line, line
    assert ("can end and read the others" in line) is not is_root
    found = re.search(r"AWS_SECRET_ACCESS_KEY=(\S+),", line)
    assert bool(found) is not is_root, line
    secret = "test" if is_root else found[1]
    endpoint = re.search(r"http://127\.0\.0\.1:\d+", line)[0]

    def client(service, secret=secret):
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test",
                            aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}))

    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions = client("lambda")
    functions.create_function(FunctionName=name, Runtime="python3.11", Role=role, Handler="app.handle", Timeout=10,
                              Code={"ZipFile": package(files={"app.py": HANDLER})})
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000})
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"name": "swift"}), LogType="Tail")
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    assert payload["name"] == "swift"
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/" in payload["own"], payload
    for key in ("test", "account"):
        assert payload[key].startswith("403 "), payload
        wrong = "InvalidClientTokenId" if is_root else "SignatureDoesNotMatch"
        assert wrong in payload[key], payload
    # Outside the keys are what they were.
    assert client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    process.terminate()
    assert process.wait(timeout=30) == 0
