"""The commands that look at functions and run them: apus invoke, apus ps, apus completion."""

import json
import os
import re
import subprocess

import pytest
from conftest import REGION
from lambda_functions import create, package, role  # noqa: F401

HANDLER = """
import time
def handle(event, context):
    print("greeting")
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"got": event}
"""


@pytest.fixture
def apus(aws):
    """Runs the binary against the instance."""
    env = {**os.environ, "AWS_ENDPOINT_URL": aws.endpoint, "AWS_DEFAULT_REGION": REGION,
           "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def run(*arguments, code=0, **more):
        done = subprocess.run([os.environ["APUS_BINARY"], *arguments], env={**env, **more.pop("env", {})},
                              capture_output=True, text=True, timeout=60, **more)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    return run


def test_a_function_is_run(apus, create, name, tmp_path):  # noqa: F811
    create(HANDLER)
    done = apus("invoke", name)
    assert json.loads(done.stdout) == {"got": {}}
    assert done.stderr == ""
    event = tmp_path / "event.json"
    event.write_text('{"a": "ü"}')
    for given, stdin in ((['{"a": "ü"}'], None), ([f"@{event}"], None), (["-"], '{"a": "ü"}')):
        assert json.loads(apus("invoke", name, "--payload", *given, input=stdin).stdout) == {"got": {"a": "ü"}}
    tailed = apus("invoke", name, "--tail", "--qualifier", "$LATEST")
    assert re.search(r"START RequestId: .*greeting\n.*END RequestId: .*REPORT RequestId: ", tailed.stderr, re.DOTALL)
    told = json.loads(apus("invoke", name, "--tail", "--json").stdout)
    assert told["status"] == 200
    assert told["version"] == "$LATEST"
    assert told["functionError"] is None
    assert "greeting" in told["log"]
    queued = apus("invoke", name, "--event")
    assert re.fullmatch(rf"{name} will get the event, as request [0-9a-f-]{{36}}\n", queued.stdout)


def test_failures_are_told(apus, create, name):  # noqa: F811
    create(HANDLER)
    failed = apus("invoke", name, "-p", '{"fail": "why"}', code=1)
    assert json.loads(failed.stdout)["errorMessage"] == "why"
    assert f"the function failed (Unhandled); `apus executions --function {name}` tells more" in failed.stderr
    missing = apus("invoke", f"{name}-none", code=1)
    assert f"Function not found: arn:aws:lambda:{REGION}:000000000000:function:{name}-none" in missing.stderr
    malformed = apus("invoke", name, "-p", "{a}", code=1)
    assert "the event is not JSON" in malformed.stderr
    refused = apus("invoke", name, code=1, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert "signature" in refused.stderr
    nobody = apus("ps", "--endpoint-url", "http://127.0.0.1:1", code=1)
    assert "no instance answers at http://127.0.0.1:1" in nobody.stderr
    assert "--endpoint-url" in nobody.stderr


def test_environments_are_listed(apus, create, name):  # noqa: F811
    create(HANDLER)
    assert "no environment stands" in apus("ps", "--function", name).stdout
    apus("invoke", name)
    apus("invoke", name)
    (one,) = json.loads(apus("ps", "--function", name, "--json").stdout)
    assert one["version"] == "$LATEST"
    assert one["state"] in ("idle", "frozen", "finishing")
    assert one["invocations"] == 2
    assert one["reason"] == "the function's first environment since the platform started"
    assert 0 < one["initMs"] < 60_000
    assert one["memoryMb"] == 128
    line = apus("ps", "--function", name).stdout
    assert re.fullmatch(
        rf"{one['id']}  {name}:\$LATEST  \w+  for \d+ s  2 invocations  (\d+|\?) of 128 MB  started because the "
        r"function's first environment since the platform started \(\d+\.\d\d ms\)\n", line), line
    # Another account sees its own.
    others = apus("ps", "--json", env={"AWS_ACCESS_KEY_ID": "123456789012"})
    assert json.loads(others.stdout) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(apus, shell):
    script = apus("completion", shell).stdout
    for command in ("start", "invoke", "executions", "replay"):
        assert command in script


def test_bash_takes_the_completion(apus, tmp_path):
    script = tmp_path / "apus"
    script.write_text(apus("completion", "bash").stdout)
    line = ('source "$0"; COMP_WORDS=(apus exe); COMP_CWORD=1; _apus apus exe apus; echo "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", line, script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "executions\n", done.stderr


def test_what_is_told_is_told_as_json(launch, tmp_path):
    binary = os.environ["APUS_BINARY"]

    def run(*arguments, code=0):
        done = subprocess.run([binary, *map(str, arguments), "--json"], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    instance = launch(arguments=["--json", "--iam", "soft"])
    ready = json.loads(instance.ready)
    assert (ready["url"], ready["listening"]) == (instance.endpoint, instance.endpoint)
    assert (ready["dataDir"], ready["permissions"], ready["rootSecret"]) == (str(instance.data_dir), "logged", None)
    assert ready["isolation"] in ("full", "rootless", "container", "none")
    doctor = json.loads(subprocess.run([binary, "doctor", "--json"], capture_output=True, text=True, timeout=60).stdout)
    assert doctor["level"] == ready["isolation"] and doctor["weaker"] == ready["weaker"]
    assert all({"name", "ok"} <= fact.keys() and ("how" in fact) == fact["ok"] for fact in doctor["facts"])
    instance.client("sqs").create_queue(QueueName="kept")
    instance.client("lambda").publish_layer_version(LayerName="kept", Content={"ZipFile": package("x = 1")})
    instance.stop()

    sound = run("fsck", "--data-dir", instance.data_dir)
    assert sound["sound"] and sound["findings"] == sound["remarks"] == [] and sound["rows"] > 0
    # What a crash may leave behind damages nothing.
    stray = instance.data_dir / "store" / "blobs" / ("0" * 32)
    stray.write_bytes(b"nobody's")
    noted = run("fsck", "--data-dir", instance.data_dir)
    assert noted["sound"] and [remark["place"] for remark in noted["remarks"]] == [f"blob {stray.name}"]
    stray.unlink()
    written = run("backup", "--data-dir", instance.data_dir, tmp_path / "backup")
    restored = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "restored")
    assert restored == {"rows": written["rows"], "blobs": written["blobs"], "target": str(tmp_path / "restored")}
    assert written["blobs"] == sound["blobs"] == 1
    assert written["target"] == str(tmp_path / "backup") and written["rows"] == sound["rows"]
    log = max((instance.data_dir / "store").glob("log-*"), key=lambda path: len(path.read_bytes().rstrip(b"\0")))
    frames = bytearray(log.read_bytes())
    frames[len(frames.rstrip(b"\0")) // 4] ^= 0xFF
    log.write_bytes(frames)
    damaged = run("fsck", "--data-dir", instance.data_dir, code=1)
    assert not damaged["sound"] and damaged["findings"] and all(finding["place"] and finding["detail"] for finding in damaged["findings"])
    again = launch(tmp_path / "restored")
    assert again.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"]
