"""Levels of isolation: what this host allows is used, what is weaker is said, and what was not accepted is refused."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import Instance
from test_lambda import RUNTIME, TRUST, package

# A user that hosts give to nobody.
USER = 199_999


@pytest.fixture(scope="module")
def ordinary():
    """Runs the binary as an ordinary user: `(directory, function that runs it with arguments)`."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: only root can become an ordinary user; every other test runs as one then")
    # Neither the build's directory nor pytest's own may be entered by others.
    directory = Path(tempfile.mkdtemp(prefix="apus-ordinary-", dir="/tmp"))
    os.chown(directory, USER, USER)
    shutil.copy(os.environ["APUS_BINARY"], directory / "apus")
    (directory / "apus").chmod(0o755)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory)}

    def run(*arguments, start=subprocess.run, **more):
        return start(
            [directory / "apus", *arguments], user=USER, group=USER, extra_groups=[], env=environment, cwd=directory,
            stdout=subprocess.PIPE, text=True, **more,
        )

    yield directory, run
    shutil.rmtree(directory)


def test_the_doctor_names_what_is_weaker(ordinary):
    _, run = ordinary
    said = run("doctor", stderr=subprocess.PIPE)
    assert said.returncode != 0
    assert "functions are isolated at level `rootless`" in said.stdout
    assert re.search(r"lacks root privileges: running as user 199999\n\s+run as root", said.stdout), said.stdout
    assert "weaker: on the host every function is the user of the platform" in said.stdout


@pytest.mark.parametrize("level", ["full"])
def test_a_weaker_level_than_accepted_is_refused(ordinary, level):
    _, run = ordinary
    said = run("start", "--port", "0", "--ephemeral", f"--accept-isolation={level}", stderr=subprocess.PIPE, timeout=60)
    assert said.returncode != 0
    assert "level `full` is not possible here. root privileges: running as user 199999" in said.stderr, said.stderr
    assert "--accept-isolation=rootless" in said.stderr


@pytest.mark.parametrize("level", [None, "rootless", "none"])
def test_an_ordinary_user_runs_functions_and_is_told_what_is_weaker(ordinary, level, name):
    directory, run = ordinary
    accept = [f"--accept-isolation={level}"] if level else []
    instance = Instance.__new__(Instance)
    instance.process = run("start", "--port", "0", "--data-dir", directory / name, *accept, start=subprocess.Popen)
    try:
        line = instance.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found and "isolation level rootless, weaker: on the host every function" in line, line
        instance.endpoint = found.group(0)
        role = instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        source = "import os\ndef handle(event, context):\n    return [os.getuid(), os.path.exists('/etc/shadow')]\n"
        instance.client("lambda").create_function(
            FunctionName=name, Runtime=RUNTIME, Role=role["Role"]["Arn"], Handler="handler.handle",
            Code={"ZipFile": package(source)},
        )
        answer = instance.client("lambda").invoke(FunctionName=name)
        assert json.loads(answer["Payload"].read()) == [993, False]
        instance.stop()
    finally:
        if instance.process.poll() is None:
            instance.kill()
