"""Lambda: every way in which a function fails, in AWS's words, and that the next invocation works.

A function of these tests fails when its event is "fail", and answers "well" otherwise; one that can never work is
mended by an update.
"""

import base64
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from lambda_functions import create, invoke, package, refused, role, text  # noqa: F401 (fixtures)

RUNTIMES = {"python": "python3.11", "node": "nodejs20.x", "shell": "provided.al2023"}
PROGRAMS = {"python": "python3", "node": "node", "shell": "curl"}
RESPONSE_MAX = 6_291_556

PYTHON = "import os, sys, time\n{top}\ndef handle(event, context):\n    if event == 'fail':\n        {body}\n    return 'well'\n"
NODE = "{top}\nexports.handle = async (event) => {{\n  if (event === 'fail') {{ {body} }}\n  return 'well';\n}};\n"
SHELL = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
{top}
while true; do
  head=$(mktemp)
  event=$(curl -sS -D "$head" "$api/invocation/next")
  id=$(grep -i '^lambda-runtime-aws-request-id:' "$head" | tr -d '[:space:]' | cut -d: -f2)
  echo serving >&2
  if [ "$event" = '"fail"' ]; then
    {body}
  else
    curl -sS -o /dev/null -d '"well"' "$api/invocation/$id/response"
  fi
done
"""


def code(language, body="pass", top=""):
    """The zip of a function that fails so in its handler, or above it."""
    if language == "python":
        return package(PYTHON.format(top=top, body=body))
    if language == "node":
        return package(files={"handler.js": NODE.format(top=top, body="" if body == "pass" else body)})
    return package(files={"bootstrap": SHELL.format(top=top, body=":" if body == "pass" else body)},
                   modes={"bootstrap": 0o100755})


def exited(how):
    return "Runtime.ExitError", f"RequestId: {{id}} Error: Runtime exited with error: {how}"


KILLED = "Runtime.OutOfMemory", "RequestId: {id} Error: Runtime exited with error: signal: killed"
LEFT = "Runtime.ExitError", "RequestId: {id} Error: Runtime exited without providing a reason"
TIMED_OUT = "Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 1.00 seconds"
TOO_LARGE = "Function.ResponseSizeTooLarge", (
    f"Response payload size exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).")
TOO_LONG = RESPONSE_MAX + 1 - len('""')

# What happens in the handler: the language, its code there, the type and the message of the error, and whether the
# environment survives it.
IN_HANDLER = [
    ("python", "raise ValueError('no wings')", ("ValueError", "no wings"), True),
    ("python", "sys.exit(3)", exited("exit status 3"), False),
    ("python", "sys.exit(0)", LEFT, False),
    ("python", "os.kill(os.getpid(), 11)", exited("signal: segmentation fault"), False),
    ("python", "os.abort()", exited("signal: aborted"), False),
    ("python", "time.sleep(60)", TIMED_OUT, False),
    ("python", "x = bytearray(512 << 20); x[::4096] = b'x' * len(x[::4096])", KILLED, False),
    ("python", "return {1, 2}",
     ("Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"), True),
    ("python", f"return 'x' * {TOO_LONG}", TOO_LARGE, True),
    ("node", "throw new TypeError('no wings');", ("TypeError", "no wings"), True),
    ("node", "throw 'a word';", ("string", "a word"), True),
    ("node", "process.exit(3);", exited("exit status 3"), False),
    ("node", "process.exit(0);", LEFT, False),
    ("node", "process.kill(process.pid, 'SIGSEGV'); await new Promise(() => setTimeout(() => {}, 9999));",
     exited("signal: segmentation fault"), False),
    ("node", "process.abort();", exited("signal: aborted"), False),
    ("node", "await new Promise(() => setTimeout(() => {}, 60000));", TIMED_OUT, False),
    ("node", "while (true);", TIMED_OUT, False),
    ("node", "globalThis.x = Buffer.alloc(512 << 20, 1);", KILLED, False),
    # Objects are the engine's, which gives up before the platform must.
    ("node", "const x = []; for (;;) x.push({ x: new Array(9999).fill(x.length) });", exited("signal: aborted"), False),
    ("node", "setTimeout(() => { throw new EvalError('late'); }, 1); await new Promise(() => {});",
     ("EvalError", "late"), False),
    ("node", "Promise.reject(new Error('stray')); await new Promise(() => setTimeout(() => {}, 9999));",
     ("Runtime.UnhandledPromiseRejection", "Error: stray"), False),
    ("node", "const x = {}; x.x = x; return x;", ("Error", "Unable to stringify response body"), True),
    ("node", "return 1n;", ("Error", "Unable to stringify response body"), True),
    ("node", f"return 'x'.repeat({TOO_LONG});", TOO_LARGE, True),
    ("shell", "curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Error-Type: Nest.Empty' "
              "-d '{\"errorType\": \"NestEmpty\", \"errorMessage\": \"no eggs\"}' \"$api/invocation/$id/error\"",
     ("NestEmpty", "no eggs"), True),
    ("shell", "exit 3", exited("exit status 3"), False),
    ("shell", "exit 0", LEFT, False),
    ("shell", "kill -SEGV $$", exited("signal: segmentation fault"), False),
    ("shell", "sleep 60", TIMED_OUT, False),
    ("shell", f"head -c {RESPONSE_MAX + 1} /dev/zero | curl -sS -o /dev/null --data-binary @- "
              "\"$api/invocation/$id/response\"", TOO_LARGE, True),
]

# What happens before the handler can be called: the language, the code, the handler's name, and the error.
AT_INIT = [
    ("python", code("python", top="raise KeyError('early')"), "handler.handle", ("KeyError", "'early'")),
    ("python", code("python", top="print('going'); sys.exit(7)"), "handler.handle", exited("exit status 7")),
    ("python", code("python", top="os.kill(os.getpid(), 11)"), "handler.handle", exited("signal: segmentation fault")),
    ("python", code("python", top="x = bytearray(512 << 20); x[::4096] = b'x' * len(x[::4096])"), "handler.handle", KILLED),
    ("python", code("python"), "handler.gone",
     ("Runtime.HandlerNotFound", "Handler 'gone' missing on module 'handler'")),
    ("python", code("python"), "gone.handle",
     ("Runtime.ImportModuleError", "Unable to import module 'gone': No module named 'gone'")),
    ("python", code("python", top="import swifts"), "handler.handle",
     ("Runtime.ImportModuleError", "Unable to import module 'handler': No module named 'swifts'")),
    ("python", package("def handle(event, context)\n    pass\n"), "handler.handle",
     ("Runtime.UserCodeSyntaxError", re.compile(r"Syntax error in module 'handler': .+ \(handler\.py, line 1\)"))),
    ("python", code("python"), "handle",
     ("Runtime.MalformedHandlerName", "Bad handler 'handle': not enough values to unpack (expected 2, got 1)")),
    ("node", code("node", top="throw new RangeError('early');"), "handler.handle", ("RangeError", "early")),
    ("node", code("node", top="process.exit(7);"), "handler.handle", exited("exit status 7")),
    ("node", code("node", top="process.kill(process.pid, 'SIGSEGV'); while (true);"), "handler.handle",
     exited("signal: segmentation fault")),
    ("node", code("node"), "handler.gone",
     ("Runtime.HandlerNotFound", "handler.gone is undefined or not exported")),
    ("node", package(files={"handler.js": "exports.handle = 7;"}), "handler.handle",
     ("Runtime.HandlerNotFound", "handler.handle is not a function")),
    ("node", code("node"), "gone.handle",
     ("Runtime.ImportModuleError", "Error: Cannot find module 'gone'\nRequire stack:\n- /var/runtime/index.mjs")),
    ("node", code("node", top="require('swifts');"), "handler.handle",
     ("Runtime.ImportModuleError", re.compile(r"Error: Cannot find module 'swifts'\nRequire stack:\n- /var/task/handler\.js\n.*",
                                              re.DOTALL))),
    ("node", package(files={"handler.mjs": "import 'swifts';\nexport const handle = 1;"}), "handler.handle",
     ("Error", "Cannot find package 'swifts' imported from /var/task/handler.mjs")),
    ("node", package(files={"handler.js": "exports.handle = ("}), "handler.handle",
     ("Runtime.UserCodeSyntaxError", re.compile("SyntaxError: .+"))),
    ("node", code("node"), "handle", ("Runtime.MalformedHandlerName", "Bad handler")),
    ("shell", code("shell", top="exit 7"), "x", exited("exit status 7")),
    ("shell", package(), "x",
     ("Runtime.InvalidEntrypoint", "RequestId: {id} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")),
    ("shell", package(files={"bootstrap": "#!/bin/sh\n"}), "x",
     ("Runtime.InvalidEntrypoint", "RequestId: {id} Error: fork/exec /var/task/bootstrap: permission denied")),
    ("shell", package(files={"bootstrap": b"\x00swift"}, modes={"bootstrap": 0o100755}), "x",
     ("Runtime.InvalidEntrypoint", "RequestId: {id} Error: fork/exec /var/task/bootstrap: exec format error")),
    ("shell", code("shell", top="curl -sS -o /dev/null -d '{\"errorType\": \"Nest.Lost\", \"errorMessage\": \"gone\"}' "
                                "-H 'Lambda-Runtime-Function-Error-Type: Nest.Lost' \"$api/init/error\"; exit 1"), "x",
     ("Nest.Lost", "gone")),
]


def needs(language):
    program = PROGRAMS[language]
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"SKIPPED: this host has no `{program}`")


def rows(table):
    """The table's rows, each skipped where this host lacks its program."""
    def named(number, language, expected):
        return f"{number}-{language}-{expected[0]}"

    return [
        pytest.param(*row, marks=needs(row[0]), id=named(number, row[0], next(part for part in row if isinstance(part, tuple))))
        for number, row in enumerate(table)
    ]


def failed(answer, kind, message):
    """Checks an answer that tells of a failure, and returns the error and the lines of its log."""
    request = answer["ResponseMetadata"]["RequestId"]
    assert (answer["StatusCode"], answer.get("FunctionError"), answer["ExecutedVersion"]) == (200, "Unhandled", "$LATEST")
    error = json.loads(answer["Payload"])
    assert error["errorType"] == kind, error
    if isinstance(message, re.Pattern):
        assert message.fullmatch(error["errorMessage"]), error
    else:
        assert error["errorMessage"] == message.replace("{id}", request)
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines.count(f"START RequestId: {request} Version: $LATEST") == 1, lines
    # Where the engine says much of its own end, the beginning is cut off.
    assert lines[-2] == f"END RequestId: {request}", lines
    status = {"Sandbox.Timedout": r"Status: timeout"}.get(kind, rf"Status: error\tError Type: {re.escape(kind)}")
    report = (
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        rf"Memory Size: \d+ MB\tMax Memory Used: \d+ MB\t(Init Duration: \d+\.\d\d ms\t)?(?P<status>{status})?"
    )
    found = re.fullmatch(report, lines[-1])
    assert found, lines[-1]
    return error, lines, found["status"]


@pytest.mark.parametrize(("language", "body", "expected", "survives"), rows(IN_HANDLER))
def test_a_handler_that_fails(aws, create, name, language, body, expected, survives):
    kind, message = expected
    create(Code={"ZipFile": code(language, body)}, Runtime=RUNTIMES[language], Timeout=1 if kind == "Sandbox.Timedout" else 20,
           MemorySize=256 if any(large in body for large in ("repeat", " * 629", "9999).fill")) else 128)
    assert json.loads(invoke(aws, name, "well")["Payload"]) == "well"
    answer = invoke(aws, name, "fail", LogType="Tail")
    error, lines, status = failed(answer, kind, message)
    request = answer["ResponseMetadata"]["RequestId"]
    assert (status is None) == (survives or language == "node" and "Runtime.Exit" not in kind
                                and kind not in ("Runtime.OutOfMemory", "Sandbox.Timedout"))
    if kind == "Sandbox.Timedout":
        assert any(re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {request} Task timed out after 1\.00 seconds", line)
                   for line in lines), lines
    elif message.startswith("RequestId: "):
        at = lines.index(message.replace("{id}", request))
        assert lines[at + 1] == "Runtime.ExitError"
    if kind == "ValueError":
        assert error["stackTrace"] == [f'  File "/var/task/handler.py", line 5, in handle\n    {body}\n']
        assert error["requestId"] == request
        assert "[ERROR] ValueError: no wings" in lines
    if kind == "TypeError":
        assert error["trace"][0] == "TypeError: no wings" and "/var/task/handler.js:3" in error["trace"][1]
        assert any(f"\t{request}\tERROR\tInvoke Error \t{{\"errorType\":\"TypeError\",\"errorMessage\":\"no wings\"," in line
                   for line in lines), lines
    again = invoke(aws, name, "well", LogType="Tail")
    assert (json.loads(again["Payload"]), "FunctionError" in again) == ("well", False)
    # A new environment, unless the old one could go on.
    assert ("Init Duration" in base64.b64decode(again["LogResult"]).decode()) == (not survives)


@pytest.mark.parametrize(("language", "archive", "handler", "expected"), rows(AT_INIT))
def test_a_function_that_cannot_begin(aws, create, name, language, archive, handler, expected):
    create(Code={"ZipFile": archive}, Runtime=RUNTIMES[language], Handler=handler, Timeout=20)
    # As often as it is asked.
    for _ in range(2):
        answer = invoke(aws, name, {}, LogType="Tail")
        error, lines, status = failed(answer, *expected)
        kind = re.escape(error["errorType"])
        assert re.fullmatch(rf"Status: error\tError Type: {kind}", status)
        # It was tried before the invocation and once more within.
        tries = [line for line in lines if line.startswith("INIT_REPORT")]
        for line, phase in zip(tries, ("init", "invoke"), strict=True):
            assert re.fullmatch(rf"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: {phase}\tStatus: error\tError Type: {kind}", line)
        assert lines.index(tries[1]) < lines.index(f"START RequestId: {answer['ResponseMetadata']['RequestId']} Version: $LATEST")
    client = aws.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=code(language))
    client.update_function_configuration(FunctionName=name, Handler="handler.handle")
    assert json.loads(invoke(aws, name, {})["Payload"]) == "well"


def test_a_function_that_takes_more_than_ten_seconds_to_begin(aws, create, name):
    """The one thing here that takes its time: AWS gives ten seconds, and then those of the invocation."""
    languages = [one for one in ("python", "node") if shutil.which(PROGRAMS[one])]
    slow = {"python": "time.sleep(60)", "node": "const until = Date.now() + 60000; while (Date.now() < until);"}
    for one in languages:
        create(Code={"ZipFile": code(one, top=slow[one])}, Runtime=RUNTIMES[one], Timeout=1, function=f"{name}-{one}")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda one: invoke(aws, f"{name}-{one}", {}, LogType="Tail"), languages))
    for answer in answers:
        _, lines, status = failed(answer, *TIMED_OUT)
        assert status == "Status: timeout"
        first, second = (line for line in lines if line.startswith("INIT_REPORT"))
        assert re.fullmatch(r"INIT_REPORT Init Duration: 1\d{4}\.\d\d ms\tPhase: init\tStatus: timeout", first), first
        assert re.fullmatch(r"INIT_REPORT Init Duration: [1-9]\d{3}\.\d\d ms\tPhase: invoke\tStatus: timeout", second), second
        assert any(line.endswith("Task timed out after 1.00 seconds") for line in lines[-4:]), lines
    for one in languages:
        aws.client("lambda").update_function_code(FunctionName=f"{name}-{one}", ZipFile=code(one))
        assert json.loads(invoke(aws, f"{name}-{one}", {})["Payload"]) == "well"


def test_what_is_no_event(aws, create, name):
    create()
    client = aws.client("lambda")
    for payload in (b"{", b"swift", b"{'a': 1}", b"\xff", b"{} {}", b"NaN"):
        error = refused("InvalidRequestContentException", 400, client.invoke, FunctionName=name, Payload=payload)
        assert error["Error"]["Message"].startswith("Could not parse request body into json: "), payload
        assert error["Type"] == "User"
    largest = b'"' + b"x" * (6_291_456 - 2) + b'"'
    assert len(invoke(aws, name, Payload=largest)["Payload"]) == len(largest)
    error = refused("RequestTooLargeException", 413, client.invoke, FunctionName=name, Payload=largest + b" ")
    assert error["Error"]["Message"] == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    assert json.loads(invoke(aws, name, {"still": "there"})["Payload"]) == {"still": "there"}


def test_a_response_of_the_largest_size_passes(aws, create, name):
    create(f"def handle(event, context):\n    return 'x' * {RESPONSE_MAX - 2}\n", MemorySize=256, Timeout=20)
    answer = invoke(aws, name, {})
    assert ("FunctionError" in answer, len(answer["Payload"])) == (False, RESPONSE_MAX)
