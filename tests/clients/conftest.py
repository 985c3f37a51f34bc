"""One running Apus for all client tests; each test uses names of its own.

APUS_BINARY names the binary; `cargo xtask test` sets it.
"""

import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

READY = re.compile(r"http://127\.0\.0\.1:(\d+)")
ACCOUNT = "000000000000"
REGION = "us-east-1"


class Instance:
    """A running apus process."""

    def __init__(self, data_dir, arguments=(), port=0, **process):
        binary = os.environ["APUS_BINARY"]
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [binary, "start", "--port", str(port), "--data-dir", str(data_dir), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            **process,
        )
        self.ready = line = self.process.stdout.readline()
        found = READY.search(line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"apus did not say where it listens: {line!r}")
        self.port = int(found.group(1))
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def client(self, service, access_key="test", secret="test", token=None, region=REGION, settle=True, **config):
        """A boto3 client that neither retries nor waits long. Lambda's waits until what it made or updated is settled,
        as its users do, unless told otherwise."""
        config = {"retries": {"max_attempts": 0}, "read_timeout": 60, **config}
        client = boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**config),
        )
        if service == "lambda" and settle:
            for operation in ("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"):
                client.meta.events.register(f"after-call.lambda.{operation}", lambda **call: settled(client, **call))
        return client

    def cli(self, *arguments, check=True, stdin=None):
        """Runs the AWS CLI; returns the finished process with its text."""
        env = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        # Version 1 of the CLI does not believe AWS_ENDPOINT_URL for SQS; it does believe the option.
        command = [sys.executable, "-m", "awscli", "--endpoint-url", self.endpoint, *map(str, arguments)]
        return subprocess.run(command, env=env, check=check, capture_output=True, text=True, input=stdin)

    def stop(self):
        """SIGTERM, and the clean end that it must lead to."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert code == 0, f"apus ended with {code} after SIGTERM"

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait(timeout=30)


def fsck(data_dir):
    """What `apus fsck` says of a data directory that nobody has open; it must find nothing."""
    command = [os.environ["APUS_BINARY"], "fsck", "--data-dir", str(data_dir)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return checked.stdout.strip()


def settled(client, http_response, parsed, **_):
    """Waits until the function that an answer shows can be invoked, and runs what was updated."""
    if http_response.status_code >= 300:
        return
    often = {"Delay": 0.02, "MaxAttempts": 3000}
    for waiter in ("function_active_v2", "function_updated_v2"):
        client.get_waiter(waiter).wait(FunctionName=parsed["FunctionName"], WaiterConfig=often)
    if parsed["Version"] != "$LATEST":
        client.get_waiter("published_version_active").wait(
            FunctionName=parsed["FunctionName"], Qualifier=parsed["Version"], WaiterConfig=often)


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    """The instance that the tests share."""
    instance = Instance(tmp_path_factory.mktemp("apus") / "data")
    yield instance
    instance.stop()


@pytest.fixture
def launch(tmp_path):
    """Starts instances of a test's own; those still running are killed after it."""
    started = []

    def start(data_dir=None, arguments=(), port=0, **process):
        instance = Instance(data_dir or tmp_path / "data", arguments, port, **process)
        started.append(instance)
        return instance

    yield start
    for instance in started:
        if instance.process.poll() is None:
            instance.kill()


@pytest.fixture
def name(request):
    """A name that no other test uses."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:30].rstrip("-")
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def repository():
    """The root of the checkout."""
    return Path(__file__).resolve().parents[2]
