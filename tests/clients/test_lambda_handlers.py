"""Lambda: handlers as people write them, in Python, in Node.js, and on the runtime clients that AWS publishes.

Each test runs in every language; what differs between them is how an error is called.
"""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from conftest import REGION, repository
from lambda_functions import arn, create, invoke, package, role  # noqa: F401 (fixtures)

FIXTURES = repository() / "tests/clients/fixtures"
BUILT = repository() / "target/fixtures"
AWSLAMBDARIC = "awslambdaric==4.2.2"
RUNTIMES = {"python": "python3.11", "node": "nodejs20.x", "rust": "provided.al2023", "awslambdaric": "provided.al2023"}
# What raises the errors of the examples is called by the language, or by its runtime client.
ERROR_TYPES = {
    "python": ("ValueError", "Exception"),
    "awslambdaric": ("ValueError", "Exception"),
    "node": ("RangeError", "Error"),
    "rust": (re.compile("&.*Error.*"), re.compile("&.*Error.*")),
}
# A Python to be brought along: what of it no function needs.
LEFT_OUT = {"__pycache__", "site-packages", "test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter", "config"}


def skipped(why):
    print(f"\n*** SKIPPED: {why} ***", file=sys.stderr)
    pytest.skip(why)


def python_package():
    return package(files={"handlers.py": (FIXTURES / "handlers/handlers.py").read_text()})


def node_package():
    if shutil.which("node") is None:
        skipped("no function runs on Node.js here: there is no `node`")
    return package(files={"handlers.mjs": (FIXTURES / "handlers/handlers.mjs").read_text()})


def rust_package():
    """One program on `lambda_runtime`; it is built once, which takes a minute."""
    if shutil.which("cargo") is None:
        skipped("no handler in Rust is tried: there is no `cargo`")
    build = subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--manifest-path", FIXTURES / "rust-handlers/Cargo.toml"],
        env={**os.environ, "CARGO_TARGET_DIR": str(BUILT)}, capture_output=True, text=True, check=False,
    )
    if "failed to download" in build.stderr or "failed to get" in build.stderr:
        skipped(f"no handler in Rust is tried: its dependencies cannot be fetched: {build.stderr}")
    assert build.returncode == 0, build.stderr
    return package(files={"bootstrap": (BUILT / "debug/bootstrap").read_bytes()}, modes={"bootstrap": 0o100755})


def awslambdaric_package():
    """For AWS's own runtime client for Python, unmodified, which is in a layer with a Python of its own."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    start = (f"#!/bin/sh\nexport PYTHONHOME=/opt/lang PYTHONPATH=/var/task:/opt/client PYTHONDONTWRITEBYTECODE=1\n"
             f"exec /opt/lang/bin/{version} -m awslambdaric \"$_HANDLER\"\n")
    handlers = (FIXTURES / "handlers/handlers.py").read_text()
    return package(files={"bootstrap": start, "handlers.py": handlers}, modes={"bootstrap": 0o100755})


def awslambdaric_layer():
    client = BUILT / AWSLAMBDARIC.replace("==", "-")
    if not client.exists():
        new = client.with_name(f"{client.name}.new")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", new, AWSLAMBDARIC]
        install = subprocess.run(command, capture_output=True, text=True, check=False)
        if install.returncode != 0:
            skipped(f"awslambdaric is not tried: it cannot be installed: {install.stderr}")
        new.rename(client)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    prefix = Path(sys.base_prefix)
    library = prefix / "lib" / version
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def add(path, content, mode=0o100644):
            info = zipfile.ZipInfo(str(path))
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)

        def add_tree(directory, to):
            for file in sorted(directory.rglob("*")):
                inside = file.relative_to(directory)
                out_of_it = any(part in LEFT_OUT or part.startswith("config-") for part in inside.parts)
                if file.is_file() and not out_of_it and file.suffix != ".a":
                    add(to / inside, file.read_bytes(), 0o100755 if file.suffix == ".so" else 0o100644)

        add(f"lang/bin/{version}", (prefix / "bin" / version).resolve().read_bytes(), 0o100755)
        for shared in (prefix / "lib").glob("libpython*.so*"):
            add(f"lang/lib/{shared.name}", shared.read_bytes(), 0o100755)
        add_tree(library, Path("lang/lib") / version)
        add_tree(client, Path("client"))
    return out.getvalue()


PACKAGES = {"python": python_package, "node": node_package, "rust": rust_package, "awslambdaric": awslambdaric_package}


@pytest.fixture(scope="module")
def packages():
    """The zip of each language, made once."""
    made = {}
    return lambda language: made.setdefault(language, PACKAGES[language]())


@pytest.fixture(scope="module")
def layer(aws):
    """The layer with AWS's runtime client for Python, published once."""
    published = aws.client("lambda").publish_layer_version(LayerName="awslambdaric", Content={"ZipFile": awslambdaric_layer()})
    return published["LayerVersionArn"]


@pytest.fixture(params=PACKAGES)
def deploy(request, create, packages, name):
    """Makes a function of that handler, in each language."""
    language = request.param
    layers = {"Layers": [request.getfixturevalue("layer")]} if language == "awslambdaric" else {}

    def make(handler, **arguments):
        named = handler if language == "rust" else f"handlers.{handler}"
        create(Code={"ZipFile": packages(language)}, Runtime=RUNTIMES[language], Handler=named, MemorySize=256,
               **{"Timeout": 15, **layers, **arguments})
        return language

    return make


def lines(answer):
    """The log of an answer: the platform's lines are checked, the function's are returned."""
    request = answer["ResponseMetadata"]["RequestId"]
    found = base64.b64decode(answer["LogResult"]).decode().splitlines()
    start = found.index(f"START RequestId: {request} Version: $LATEST")
    assert found[-2] == f"END RequestId: {request}", found
    report = (
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 256 MB\tMax Memory Used: \d+ MB\t(Init Duration: \d+\.\d\d ms\t)?"
    )
    assert re.fullmatch(report, found[-1]), found[-1]
    return found[start + 1 : -2]


def run(aws, name, event=None, **arguments):
    """Invokes: what was answered, and the lines that the function logged."""
    answer = invoke(aws, name, {} if event is None else event, LogType="Tail", **arguments)
    assert "FunctionError" not in answer, answer["Payload"]
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    return json.loads(answer["Payload"]), lines(answer)


def test_an_api_s_request_is_greeted(aws, deploy, name):
    deploy("api")
    greeted, _ = run(aws, name, {"httpMethod": "POST", "body": '{"name": "Gopher"}'})
    assert greeted == {
        "statusCode": 200, "body": '{"message":"Hello, Gopher!"}',
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
    }
    refused, _ = run(aws, name, {"httpMethod": "POST", "body": "{"})
    assert refused == {
        "statusCode": 400, "body": '{"error": "Invalid JSON"}', "headers": {"Content-Type": "application/json"},
    }


def test_what_one_invocation_loads_the_next_ones_use(aws, deploy, name):
    deploy("cached")
    first, logged = run(aws, name)
    assert (first, [line for line in logged if "cached" in line]) == ("OK", [])
    for _ in range(2):
        answer = invoke(aws, name, {}, LogType="Tail")
        logged = lines(answer)
        assert "Init Duration" not in base64.b64decode(answer["LogResult"]).decode()
        assert json.loads(answer["Payload"]) == "OK" and logged[0].endswith('Using cached config: {"key":"value"}'), logged


def test_an_environment_counts(aws, deploy, name):
    deploy("count")
    assert [run(aws, name)[0] for _ in range(3)] == [1, 2, 3]


def test_a_name_is_greeted_and_none_is_an_error(aws, deploy, name):
    language = deploy("greet")
    assert run(aws, name, {"name": "Jane"})[0] == {"message": "Hello, Jane!"}
    answer = invoke(aws, name, {"name": ""}, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error, logged = json.loads(answer["Payload"]), lines(answer)
    check_error(language, error, 0, "name is empty")
    assert language == "rust" or any("name is empty" in line for line in logged), logged
    assert run(aws, name, {"name": "Jim"})[0] == {"message": "Hello, Jim!"}


def test_structured_events_have_structured_answers(aws, deploy, name):
    deploy("answer")
    event = {"What is your name?": "Jim", "How old are you?": 33}
    assert run(aws, name, event)[0] == {"Answer": "Jim is 33 years old!"}


def test_an_error_is_told(aws, deploy, name, tmp_path):
    language = deploy("fail")
    out = tmp_path / "output.txt"
    ran = aws.cli("lambda", "invoke", "--function-name", name, "--payload", '{"key1": "value1"}', out)
    assert json.loads(ran.stdout) == {"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "$LATEST"}
    check_error(language, json.loads(out.read_text()), 1, "something went wrong!")


def check_error(language, error, which, message):
    kind = ERROR_TYPES[language][which]
    assert error["errorMessage"] == message, error
    assert kind.fullmatch(error["errorType"]) if isinstance(kind, re.Pattern) else error["errorType"] == kind, error
    trace = {"python": "stackTrace", "awslambdaric": "stackTrace", "node": "trace"}.get(language)
    assert trace is None or any("handlers" in frame for frame in error[trace]), error


def test_the_context_says_who_runs_and_until_when(aws, deploy, name):
    deploy("of_context", Timeout=9)
    context = base64.b64encode(json.dumps({"custom": {"swift": "apus"}}).encode()).decode()
    before = time.time() * 1000
    answer = invoke(aws, f"{name}:$LATEST", {}, ClientContext=context, LogType="Tail")
    found = json.loads(answer["Payload"])
    assert "FunctionError" not in answer, found
    assert before < found.pop("deadline") <= time.time() * 1000 + 9000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", found.pop("stream"))
    assert found == {
        "request": answer["ResponseMetadata"]["RequestId"], "arn": arn(name, "$LATEST"), "name": name,
        "version": "$LATEST", "memory": 256, "group": f"/aws/lambda/{name}", "client": {"swift": "apus"},
    }
    assert re.search("None|undefined", lines(answer)[0])


def test_a_handler_ends_by_itself_before_its_deadline(aws, deploy, name):
    deploy("until_deadline", Timeout=2)
    answered, logged = run(aws, name)
    assert answered == "Finished before timing out."
    assert all(line.endswith("hello!") for line in logged) and len(logged) > 3


def test_events_and_variables_can_be_logged(aws, deploy, name):
    language = deploy("environment", Environment={"Variables": {"MINE": "yes"}})
    event = {"Records": [{"messageId": "19dd0b57", "body": "Hello from SQS!"}]}
    answered, logged = run(aws, name, event)
    assert answered == "done"
    # The result has the last four kilobytes.
    text = "\n".join(logged)
    expected = {"MINE": "yes", "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_REGION": REGION}
    for variable, value in expected.items():
        assert f"{variable}={value}\n" in f"{text}\n", (variable, text)
    assert re.search(r"AWS_LAMBDA_LOG_STREAM_NAME=\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", text)
    managed = RUNTIMES[language]
    assert (f"AWS_EXECUTION_ENV=AWS_Lambda_{managed}" in text) == (language in ("python", "node"))
    head = text.index("EVENT: "), text.index(f"REGION: {REGION}"), text.index("ALL ENV VARS:")
    assert list(head) == sorted(head) and "Hello from SQS!" in text[head[0] : head[1]]


@pytest.mark.parametrize("deploy", ["python", "node", "awslambdaric"], indirect=True)
def test_handlers_that_answer_errors_themselves(aws, deploy, name):
    deploy("guarded")
    found, _ = run(aws, name, {"pathParameters": {"id": "7"}})
    assert found == {"statusCode": 200, "body": '{"id":"7"}'}
    failed, logged = run(aws, name)
    assert failed == {"statusCode": 500, "body": '{"error":"Internal Server Error"}'}
    assert any("Error:" in line for line in logged)


@pytest.mark.parametrize("deploy", ["python", "node", "awslambdaric"], indirect=True)
def test_of_a_batch_only_what_failed_is_reported(aws, deploy, name):
    deploy("process_batch")
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(["{}", "{", "[1]", "swift"])]
    found, _ = run(aws, name, {"Records": records})
    assert found == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}
