"""Lambda: logs in JSON, their levels and their groups, as functions in Python, Node.js and Java write them."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from lambda_functions import RUNTIME, TRUST, create, invoke, package, refused  # noqa: F401 (fixtures)
from test_lambda_java import compiled, zipped
from test_logs import WRITES, messages, until
from test_logs_queries import ask

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PYTHON = """
import logging
logger = logging.getLogger("swift")
logging.getLogger("loading").warning("early")
def handle(event, context):
    if event == "fail":
        raise ValueError("it broke")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, level)("of %s", level, extra={"nest": {"eggs": 2}})
    logger.log(15, "between")
    try:
        {}["egg"]
    except KeyError:
        logger.exception("no egg")
    print("printed")
    print('{"level": "debug", "message": "mine", "timestamp": "2026-11-29T10:00:00.123456+01:00"}')
    print('{"level": "debug", "message": "without a time"}')
    print('{"level": "ERROR", "message": "of a library", "timestamp": "2026-11-29 10:00:00,123+0000"}')
    return context.log_group_name, context.log_stream_name
"""
NODE = """
console.warn('early');
exports.handle = async (event, context) => {
  if (event === 'fail') { const error = new RangeError('it broke'); error.code = 7; throw error; }
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) console[level]('of %s', level);
  console.log({ nest: { eggs: 2 } });
  console.error('no egg', new TypeError('gone'));
  process.stdout.write('written\\n');
  return [context.logGroupName, context.logStreamName];
};
"""


@pytest.fixture
def role(aws, name):
    """The ARN of a role whose functions may write logs."""
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=json.dumps(WRITES))
    return iam.get_role(RoleName=name)["Role"]["Arn"]


def node(**arguments):
    if shutil.which("node") is None:
        print("\n*** SKIPPED: no function runs on Node.js here: there is no `node` ***", file=sys.stderr)
        pytest.skip("SKIPPED: no node")
    return {"Runtime": "nodejs20.x", "Code": {"ZipFile": package(files={"handler.js": NODE})}, **arguments}


def config(**members):
    return {"LoggingConfig": {"LogFormat": "JSON", **members}}


def tail(answer):
    """The lines of an invocation's log, those in JSON read."""
    def read(line):
        return json.loads(line) if line.startswith("{") else line

    return [read(line) for line in base64.b64decode(answer["LogResult"]).decode().splitlines()]


def kinds(lines):
    """What lines are, in short: of the platform, a message of a level, or the line itself."""
    def kind(line):
        if isinstance(line, str):
            return line
        return line["type"] if "type" in line else f"{line['level']} {line['message']}"

    return [kind(line) for line in lines]


def run(aws, name, event=None, **arguments):
    answer = invoke(aws, name, event, LogType="Tail", **arguments)
    return answer, tail(answer)


def test_the_configuration_is_shown_and_changed(aws, create, name):
    client = aws.client("lambda")
    shown = create()["LoggingConfig"]
    assert shown == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}

    def update(**members):
        return client.update_function_configuration(FunctionName=name, LoggingConfig=members)["LoggingConfig"]

    json_config = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": f"/aws/lambda/{name}"}
    assert update(LogFormat="JSON") == json_config
    assert update(ApplicationLogLevel="TRACE", LogGroup="mine") == {**json_config, "ApplicationLogLevel": "TRACE", "LogGroup": "mine"}
    assert update(SystemLogLevel="WARN")["ApplicationLogLevel"] == "TRACE"
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"]["SystemLogLevel"] == "WARN"
    assert update(LogFormat="Text") == {"LogFormat": "Text", "LogGroup": "mine"}
    message = ('LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the '
               'LogFormat to "JSON" and try again.')
    for members in ({"ApplicationLogLevel": "INFO"}, {"LogFormat": "Text", "SystemLogLevel": "INFO"}):
        answer = refused("InvalidParameterValueException", 400, client.update_function_configuration,
                         FunctionName=name, LoggingConfig=members)
        assert answer["Error"]["Message"] == message
    for members, text in [
        ({"LogFormat": "XML"}, "'loggingConfig.logFormat' failed to satisfy constraint: Member must satisfy enum value set: [JSON, Text]"),
        ({"LogFormat": "JSON", "SystemLogLevel": "ERROR"}, "Member must satisfy enum value set: [DEBUG, INFO, WARN]"),
        ({"LogGroup": "a b"}, "'loggingConfig.logGroup' failed to satisfy constraint: Member must satisfy regular expression pattern"),
    ]:
        answer = refused("ValidationException", 400, client.update_function_configuration, FunctionName=name, LoggingConfig=members)
        assert text in answer["Error"]["Message"], answer["Error"]["Message"]
    done = aws.cli("lambda", "update-function-configuration", "--function-name", name,
                   "--logging-config", "LogFormat=JSON,SystemLogLevel=DEBUG")
    assert json.loads(done.stdout)["LoggingConfig"]["SystemLogLevel"] == "DEBUG"


def test_python_writes_records(aws, create, name):
    create(PYTHON, **config(ApplicationLogLevel="DEBUG"))
    answer, lines = run(aws, name)
    request = answer["ResponseMetadata"]["RequestId"]
    assert kinds(lines) == [
        "WARNING early", "platform.start", "DEBUG of debug", "INFO of info", "WARNING of warning", "ERROR of error",
        "CRITICAL of critical", "DEBUG between", "ERROR no egg", "printed", "debug mine", "debug without a time",
        "ERROR of a library", "platform.report",
    ]
    assert all(TIME.fullmatch(line["timestamp"]) for line in lines[2:9])
    assert lines[0].pop("timestamp") and lines[0] == {
        "level": "WARNING", "message": "early", "logger": "loading", "requestId": ""}
    assert lines[3].pop("timestamp") and lines[3] == {
        "level": "INFO", "message": "of info", "logger": "swift", "requestId": request, "nest": {"eggs": 2}}
    error = lines[8]
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("KeyError", "'egg'", request)
    assert error["stackTrace"][0].startswith('  File "/var/task/handler.py", line 12, in handle\n    {}["egg"]\n'), error
    assert error["location"] == "/var/task/handler.py:handle:14"
    assert lines[1]["record"] == {"requestId": request, "version": "$LATEST"} and TIME.fullmatch(lines[1]["time"])
    report = lines[-1]["record"]
    assert (report["requestId"], report["status"]) == (request, "success")
    assert set(report["metrics"]) == {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"}

    answer, lines = run(aws, name, "fail")
    assert [line.get("type") for line in lines] == ["platform.start", None, "platform.runtimeDone", "platform.report"]
    error = lines[1]
    assert TIME.fullmatch(error.pop("timestamp")) and error.pop("stackTrace")[0].startswith('  File "/var/task/handler.py"')
    assert error == {"level": "ERROR", "errorType": "ValueError", "errorMessage": "it broke",
                     "requestId": answer["ResponseMetadata"]["RequestId"]}


def test_node_writes_records(aws, create, name):
    create(**node(**config(ApplicationLogLevel="DEBUG")))
    answer, lines = run(aws, name)
    request = answer["ResponseMetadata"]["RequestId"]
    told = [line for line in lines if isinstance(line, dict) and "level" in line]
    assert all(TIME.fullmatch(line.pop("timestamp")) for line in told)
    assert told[0] == {"level": "WARN", "message": "early"}
    assert told[1:7] == [
        *({"level": level, "requestId": request, "message": f"of {level.lower()}"} for level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")),
        {"level": "INFO", "requestId": request, "message": {"nest": {"eggs": 2}}},
    ]
    error = told[7]
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "gone") and error["message"].startswith("no egg TypeError: gone\n")
    assert "written" in lines and lines[-1]["type"] == "platform.report"

    answer, lines = run(aws, name, "fail")
    error = lines[1]["message"]
    assert lines[1]["level"] == "ERROR" and lines[1]["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert error.pop("stackTrace")[0] == "RangeError: it broke"
    assert error == {"errorType": "RangeError", "errorMessage": "it broke", "code": 7}


def test_node_in_text_has_the_levels_too(aws, create, name):
    create(**node())
    _, lines = run(aws, name)
    levels = [line.split("\t")[2] for line in lines if "\tof " in line]
    assert levels == ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """A function in Java."""
    if shutil.which("javac") is None:
        print("\n*** SKIPPED: no function in Java is tried: there is no `javac` here ***\n", file=sys.stderr)
        pytest.skip("SKIPPED: this host has no JDK")
    from test_lambda_java import SOURCES

    interfaces = tmp_path_factory.mktemp("interfaces")
    known = compiled(SOURCES / "interfaces", interfaces)
    handlers = compiled(SOURCES / "handlers", tmp_path_factory.mktemp("handlers"), [interfaces])
    return {"Runtime": "java17", "Handler": "example.Logs::handle", "Timeout": 20, "MemorySize": 256,
            "Code": {"ZipFile": zipped({**handlers, **known})}}


def test_java_writes_records(aws, create, name, java):
    create(**java, **config(ApplicationLogLevel="WARN", SystemLogLevel="WARN"))
    answer, lines = run(aws, name, "well")
    assert json.loads(answer["Payload"]) == "well"
    request = answer["ResponseMetadata"]["RequestId"]
    assert all(TIME.fullmatch(line.pop("timestamp")) for line in lines)
    assert lines == [{"message": message, "level": level, "AWSRequestId": request} for message, level in [
        ("of WARN", "WARN"), ("of ERROR", "ERROR"), ("of FATAL", "FATAL"), ("of a library", "WARN"),
    ]], "what has no level is INFO, and so is what is printed"
    answer, lines = run(aws, name, "fail")
    *_, error, done = lines
    assert (done["type"], done["record"]["errorType"]) == ("platform.runtimeDone", "java.lang.IllegalStateException")
    assert error["level"] == "ERROR" and error["AWSRequestId"] == answer["ResponseMetadata"]["RequestId"]
    assert error["message"].startswith("it broke: java.lang.IllegalStateException\njava.lang.IllegalStateException: it broke\n\tat")
    aws.client("lambda").update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "JSON"})
    _, lines = run(aws, name, "well")
    assert kinds(lines)[1:-1] == [
        'UNDEFINED of no "level"', "UNDEFINED of UNDEFINED", "INFO of INFO", "WARN of WARN", "ERROR of ERROR", "FATAL of FATAL",
        "bytes", "WARN of a library", "printed",
    ]


def test_java_in_text_names_levels(aws, create, name, java):
    create(**java)
    _, lines = run(aws, name, "well")
    assert lines[1:4] == ['of no "level"', "of UNDEFINED", "[TRACE] of TRACE"] and "[FATAL] of FATAL" in lines


@pytest.mark.parametrize(("language", "level", "expected"), [
    ("python", "INFO", ["INFO of info", "WARNING of warning", "ERROR of error", "CRITICAL of critical", "ERROR no egg",
                        "printed", "debug without a time", "ERROR of a library"]),
    ("python", "ERROR", ["ERROR of error", "CRITICAL of critical", "ERROR no egg", "ERROR of a library"]),
    ("python", "FATAL", ["CRITICAL of critical"]),
    ("node", "WARN", ["WARN of warn", "ERROR of error", "FATAL of fatal"]),
    ("node", "FATAL", ["FATAL of fatal"]),
])
def test_what_is_less_urgent_is_left_out(aws, create, name, language, level, expected):
    of = {"Code": {"ZipFile": package(PYTHON)}} if language == "python" else node()
    create(**of, **config(ApplicationLogLevel=level, SystemLogLevel="WARN"))
    _, lines = run(aws, name)
    told = [line for line in kinds(lines) if not line.endswith("early") and "TypeError" not in line]
    assert told == expected


def test_a_function_may_set_the_level_of_its_own_loggers(aws, create, name):
    source = """
import logging
def handle(event, context):
    level = logging.getLogger().level
    logging.getLogger("quiet").setLevel(logging.ERROR)
    logging.getLogger("quiet").warning("unheard")
    logging.getLogger("loud").setLevel(logging.DEBUG)
    logging.getLogger("loud").debug("below the function's level")
    logging.getLogger("loud").info("heard")
    return level
"""
    create(source, **config(ApplicationLogLevel="INFO"))
    answer, lines = run(aws, name)
    assert json.loads(answer["Payload"]) == 20
    assert kinds(lines) == ["platform.start", "INFO heard", "platform.report"]


@pytest.mark.parametrize(("level", "well", "failed"), [
    ("DEBUG", ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"], ["start", "runtimeDone", "fault", "report"]),
    ("INFO", ["start", "report"], ["start", "runtimeDone", "fault", "report"]),
    ("WARN", [], ["runtimeDone", "fault", "report"]),
])
def test_the_platform_tells_what_is_urgent_enough(aws, create, name, level, well, failed):
    source = "import os\ndef handle(event, context):\n    if event == 'fail':\n        os._exit(3)\n"
    create(source, **config(SystemLogLevel=level))
    _, lines = run(aws, name)
    assert kinds(lines) == [f"platform.{kind}" for kind in well]
    answer, lines = run(aws, name, "fail")
    assert sorted(kinds(lines)) == sorted(f"platform.{kind}" for kind in failed)
    told = {line["type"].removeprefix("platform."): line["record"] for line in lines}
    assert (told["report"]["status"], told["report"]["errorType"]) == ("failure", "Runtime.ExitError")
    assert told["fault"] == f"RequestId: {answer['ResponseMetadata']['RequestId']} Error: Runtime exited with error: exit status 3\nRuntime.ExitError"


def test_a_time_out_is_told_in_json(aws, create, name):
    create("import time\ndef handle(event, context):\n    time.sleep(30)\n", Timeout=1, **config(SystemLogLevel="WARN"))
    _, lines = run(aws, name)
    told = {line["type"]: line["record"] for line in lines}
    assert told["platform.report"]["status"] == told["platform.runtimeDone"]["status"] == "timeout"


def test_two_functions_share_a_group(aws, create, name):
    group = f"shared/{name}"
    for function, level in ((f"{name}-a", "INFO"), (f"{name}-b", "ERROR")):
        create(PYTHON, function=function, **config(LogGroup=group, ApplicationLogLevel=level))
    logs = aws.client("logs")
    streams = {}
    for function in (f"{name}-a", f"{name}-b"):
        answer = invoke(aws, function)
        told, stream = json.loads(answer["Payload"])
        assert told == group and re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{function}\[\$LATEST\][0-9a-f]{{32}}", stream)
        streams[function] = stream

    def look():
        try:
            found = logs.filter_log_events(logGroupName=group, filterPattern='{ $.type = "platform.report" }')["events"]
        except ClientError:
            return None
        return found if len(found) == 2 else None

    assert {event["logStreamName"] for event in until(look)} == set(streams.values())
    found = logs.filter_log_events(logGroupName=group, filterPattern='{ $.level = "ERROR" && $.errorType = "KeyError" }')
    assert len(found["events"]) == 2
    found = logs.filter_log_events(logGroupName=group, filterPattern='{ $.level = "INFO" }')
    assert {event["logStreamName"] for event in found["events"]} == {streams[f"{name}-a"]}

    done = aws.cli("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", '{ $.nest.eggs = 2 && $.level = "CRITICAL" }',
                   "--query", "events[].message", "--output", "json")
    assert {json.loads(message)["message"] for message in json.loads(done.stdout)} == {"of critical"}
    done = aws.cli("logs", "filter-log-events", "--log-group-name", group, "--log-stream-names", streams[f"{name}-b"],
                   "--filter-pattern", "critical", "--output", "json")
    assert [event["logStreamName"] for event in json.loads(done.stdout)["events"]] == [streams[f"{name}-b"]]

    rows, _ = ask(logs, group, "filter level = 'ERROR' and ispresent(errorType) | stats count(*) as n by errorType, message")
    assert rows == [{"errorType": "KeyError", "message": "no egg", "n": "2"}]
    rows, _ = ask(logs, group, "filter type = 'platform.report' | stats max(record.metrics.durationMs) as most, sum(record.metrics.memorySizeMB) as mb")
    assert float(rows[0]["most"]) > 0 and rows[0]["mb"] == "256"
    rows, _ = ask(logs, group, "fields nest.eggs as eggs, logger | filter message = 'of critical' and ispresent(requestId)")
    assert [(row["eggs"], row["logger"]) for row in rows] == [("2", "swift")] * 2

    told = apus_logs(aws, f"{name}-a")
    assert re.search(r"^\S+Z  START requestId=\S+ version=\$LATEST$", told, re.MULTILINE), told
    assert re.search(r"^\S+Z  INFO  of info logger=swift requestId=\S+ nest=\{\"eggs\":2\}$", told, re.MULTILINE), told
    assert re.search(r"^\S+Z  ERROR no egg \(KeyError: 'egg'\) .*\n      File \"/var/task/handler.py\"", told, re.MULTILINE), told
    assert re.search(r"^\S+Z  ERROR of a library$", told, re.MULTILINE), told
    assert re.search(r"^\S+Z  REPORT requestId=\S+ durationMs=", told, re.MULTILINE), told
    assert "\n" not in told.split("printed")[0].rsplit("Z  ", 1)[1], "what is no record stays as it is"
    command = [os.environ["APUS_BINARY"], "invoke", f"{name}-b", "--tail", "--endpoint-url", aws.endpoint]
    told = subprocess.run(command, capture_output=True, text=True, check=True, input="").stderr.splitlines()
    assert told[0].startswith("START requestId=") and told[-1].startswith("REPORT requestId="), told
    other = apus_logs(aws, f"{name}-b")
    assert "of info" not in other and "of critical" in other, "another function's lines are not told"
    exact = [json.loads(line) for line in apus_logs(aws, group, "--json").splitlines()]
    assert {line["logStreamName"] for line in exact} == set(streams.values())
    assert any(line["message"].startswith('{"timestamp"') for line in exact)


def apus_logs(aws, *arguments):
    command = [os.environ["APUS_BINARY"], "logs", *arguments, "--endpoint-url", aws.endpoint]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
