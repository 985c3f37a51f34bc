"""Lambda: functions in Java, on this host's machine, with the interfaces that they bring."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import REGION, repository
from lambda_functions import arn, create, invoke, role  # noqa: F401 (fixtures)

SOURCES = repository() / "tests/clients/fixtures/java"
RUNTIME = "java17"

if shutil.which("javac") is None or shutil.which("java") is None:
    print("\n*** SKIPPED: no function in Java is tried: there is no `java` and `javac` here ***\n", file=sys.stderr)
    pytest.skip("SKIPPED: this host has no JDK", allow_module_level=True)


def compiled(sources, to, classpath=()):
    """The classes of a directory of sources, by their path."""
    options = ["--release", "11", "-cp", ":".join(map(str, classpath)), "-d", to]
    subprocess.run(["javac", *options, *sorted(sources.rglob("*.java"))], check=True)
    return {str(file.relative_to(to)): file.read_bytes() for file in sorted(Path(to).rglob("*.class"))}


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Classes at the root: with the interfaces as a jar in `lib`, and all in one, as a jar is itself."""
    interfaces = tmp_path_factory.mktemp("interfaces")
    known = compiled(SOURCES / "interfaces", interfaces)
    handlers = compiled(SOURCES / "handlers", tmp_path_factory.mktemp("handlers"), [interfaces])
    return {
        "lib": zipped({**handlers, "lib/interfaces.jar": zipped(known)}),
        "jar": zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", **handlers, **known}),
        "interfaces": zipped({"java/lib/interfaces.jar": zipped(known)}),
        "handlers": zipped(handlers),
    }


@pytest.fixture
def java(aws, create, packages, name):
    """Makes a function of that handler, and runs it."""

    def make(handler, package="lib", **arguments):
        create(Code={"ZipFile": packages[package]}, Handler=handler,
               **{"Runtime": RUNTIME, "Timeout": 20, "MemorySize": 256, **arguments})
        return lambda event=None, **how: invoke(aws, name, event, LogType="Tail", **how)

    return make


def value(answer):
    assert "FunctionError" not in answer, answer["Payload"]
    return json.loads(answer["Payload"])


def failed(answer, kind, message):
    assert (answer["StatusCode"], answer.get("FunctionError")) == (200, "Unhandled"), answer["Payload"]
    error = json.loads(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == (
        kind, message and message.replace("{id}", answer["ResponseMetadata"]["RequestId"]))
    return error


def log(answer):
    return base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize("package", ["lib", "jar"])
@pytest.mark.parametrize("handler", ["example.Greeter", "example.Greeter::handleRequest"])
def test_a_handler_of_beans(java, package, handler):
    run = java(handler, package)
    event = {"name": "Jane", "age": 31, "sightings": [{"count": 2}, {"count": 5_000_000_000}], "unknown": [None]}
    answer = run(event)
    assert value(answer) == {"message": "Hello, Jane!", "seen": 5_000_000_002, "old": True}
    request = answer["ResponseMetadata"]["RequestId"]
    lines = log(answer).splitlines()
    assert lines[0] == f"START RequestId: {request} Version: $LATEST" and lines[1] == "greeting Jane", lines
    assert lines[-2] == f"END RequestId: {request}" and "Init Duration" in lines[-1]
    answer = run({"age": 3})
    error = failed(answer, "java.lang.IllegalArgumentException", "name is empty")
    assert re.fullmatch(r"example\.Greeter\.handleRequest\(Greeter\.java:\d+\)", error["stackTrace"][0])
    assert len(error["stackTrace"]) == 1, error
    assert error["cause"]["errorType"] == "java.lang.IllegalStateException"
    assert "name is empty: java.lang.IllegalArgumentException\njava.lang.IllegalArgumentException: name is empty\n\tat" in log(answer)
    answer = run({"name": "Jim"})
    assert value(answer)["message"] == "Hello, Jim!" and "Init Duration" not in log(answer)
    error = failed(run({"name": "Jim", "age": "old"}), "java.lang.RuntimeException", "An error occurred during JSON parsing")
    assert error["stackTrace"] == [] and "java.lang.Integer" in str(error["cause"]) or "int" in str(error["cause"])


@pytest.mark.parametrize(("method", "events"), [
    ("string", [("a \"ü\" \n\u0001 😀", "a \"ü\" \n\u0001 😀!")]),
    ("map", [({"a": 1, "b": 2.5, "c": None, "d": [], "e": 3_000_000_000, "f": "x", "g": True}, {
        "a": 1, "b": 2.5, "c": None, "d": [], "e": 3_000_000_000, "f": "x", "g": True, "aType": "Integer", "bType": "Double",
        "cType": None, "dType": "ArrayList", "eType": "Long", "fType": "String", "gType": "Boolean"})]),
    ("list", [([1, 2, 3], [3, 2, 1]), ([], [])]),
    ("number", [(7, 3.5), (0.25, 0.125), ("8", 4.0)]),
    ("count", [({}, 1), ({}, 2), ([], 3)]),
    ("nothing", [({"a": []}, None)]),
    ("array", [([3, 1, 2], [1, 2, 3])]),
    ("overloaded", [("x", "with")]),
])
def test_methods_of_all_kinds(java, method, events):
    run = java(f"example.Plain::{method}")
    for event, expected in events:
        assert value(run(event)) == expected


def test_streams_and_inherited_types(java, aws, name, packages):
    run = java("example.Streams")
    assert value(run(Payload='{"a": "b"}')) == {"A": "B"}
    aws.client("lambda").update_function_configuration(FunctionName=name, Handler="example.Inherits")
    assert value(run({"name": "x"})) == 1


def test_a_layer_may_bring_the_interfaces(java, aws, name, packages):
    layer = aws.client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": packages["interfaces"]})
    run = java("example.Greeter", "handlers", Layers=[layer["LayerVersionArn"]])
    assert value(run({"name": "Layer"}))["message"] == "Hello, Layer!"


def test_the_context_is_the_function_s_own_interface(java, name):
    run = java("example.Plain::context", Timeout=9)
    context = {"custom": {"swift": "apus"}, "client": {"app_title": "nest"}}
    answer = run({}, ClientContext=base64.b64encode(json.dumps(context).encode()).decode())
    found = value(answer)
    assert 0 < found.pop("left") <= 9000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", found.pop("stream"))
    assert found == {
        "request": answer["ResponseMetadata"]["RequestId"], "arn": arn(name), "name": name, "version": "$LATEST",
        "memory": 256, "group": f"/aws/lambda/{name}", "custom": {"swift": "apus"}, "app": "nest", "pool": None, "tenant": None,
    }
    assert value(run({}))["custom"] is None


def test_the_least_memory_is_enough_and_options_are_heard(java):
    run = java("example.Plain::surroundings", MemorySize=128, Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Dswift=apus"}})
    answer = run({})
    found = value(answer)
    assert int(found.pop("version")) >= 11 and 32 <= int(found.pop("heapMb")) <= 64
    assert found == {"option": "apus", "region": REGION, "runtime": f"AWS_Lambda_{RUNTIME}"}
    assert "Picked up JAVA_TOOL_OPTIONS: -Dswift=apus" in log(answer)


def test_the_platform_s_certificates_are_trusted(java):
    found = value(java("example.Plain::platform", MemorySize=512)({}))
    # It answers that this is no request, which is an answer.
    assert "Server returned HTTP response code: 400" in found, found


@pytest.mark.parametrize("runtime", ["java11", "java17", "java21"])
def test_each_java_runs_or_another_stands_in(java, runtime):
    found = value(java("example.Plain::surroundings", Runtime=runtime)({}))
    assert int(found["version"]) >= 11 and found["runtime"] == f"AWS_Lambda_{runtime}"


@pytest.mark.parametrize(("method", "kind", "message"), [
    ("exit", "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: exit status 3"),
    ("sleep", "Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 2.00 seconds"),
    ("heap", "java.lang.OutOfMemoryError", "Java heap space"),
    ("recurse", "java.lang.StackOverflowError", None),
    ("large", "Function.ResponseSizeTooLarge",
     "Response payload size exceeded maximum allowed payload size (6291556 bytes)."),
    ("itself", "java.lang.IllegalArgumentException", "nested deeper than 1000, or in itself"),
])
def test_what_fails_in_a_handler(java, method, kind, message):
    run = java(f"example.Plain::{method}", Timeout=2 if method == "sleep" else 20)
    assert value(run("well")) == "well"
    failed(run("fail"), kind, message)
    assert value(run("well")) == "well"


@pytest.mark.parametrize(("handler", "kind", "message"), [
    ("example.Gone::handle", "java.lang.ClassNotFoundException", "Class not found: example.Gone"),
    ("example.Plain::gone", "java.lang.NoSuchMethodException",
     "No public method named gone with appropriate method signature found on class example.Plain"),
    ("example.Plain", "java.lang.NoSuchMethodException",
     "No public method named handleRequest with appropriate method signature found on class example.Plain"),
    ("example.Unlucky::handle", "java.lang.IllegalStateException", "no nest"),
    ("example.Cursed::handle", "java.lang.NumberFormatException", 'For input string: "swift"'),
])
def test_what_cannot_begin(java, handler, kind, message):
    run = java(handler)
    for _ in range(2):
        answer = run({})
        failed(answer, kind, message)
        assert re.search(rf"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: {re.escape(kind)}\n", log(answer))
