"""Lambda: provisioned concurrency stands before anybody calls; new versions come under load and drop no call.

APUS_PROVISIONED_CALLS is how many calls the test of a weighted alias makes (1000 unless told).
"""

import base64
import json
import os
import re
import threading
import time

from lambda_functions import RUNTIME, TRUST, arn, create, invoke, package, refused, role, text  # noqa: F401
from test_lambda_async import executions

CALLS = int(os.environ.get("APUS_PROVISIONED_CALLS", "1000"))
CLIENTS = 8
DEADLINE_SECS = 60
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
LATEST = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
NO_VERSION = "The function resource provided must be an alias or a published version."
NO_CONFIG = "No Provisioned Concurrency Config found for this function"
TAKEN = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
POINTED = "Version is pointed by a Provisioned Concurrency alias"
WEIGHTS = "Alias with weights can not be used with Provisioned Concurrency"
RESERVED = "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"

# Sandboxes share the host's monotonic clock.
ENVIRONMENT = """
import os, time, uuid

BORN, NAME, CALLS = time.monotonic(), uuid.uuid4().hex, 0

def handle(event, context):
    global CALLS
    CALLS += 1
    time.sleep(event.get("sleep", 0))
    if event.get("exit"):
        os._exit(1)
    return {
        "born": BORN, "name": NAME, "calls": CALLS, "version": context.function_version,
        "kind": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
    }
"""


def publish(client, name, alias=None):
    version = client.publish_version(FunctionName=name)["Version"]
    if alias:
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)
    return version


def put(client, name, qualifier, count):
    return client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count)


def get(client, name, qualifier):
    return client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


def until(found, good):
    """Asks until the answer is good, and returns it."""
    deadline = time.monotonic() + DEADLINE_SECS
    while True:
        answer = found()
        if good(answer):
            return answer
        assert time.monotonic() < deadline, answer
        threading.Event().wait(0.05)


def ready(client, name, qualifier):
    return until(lambda: get(client, name, qualifier), lambda answer: answer["Status"] == "READY")


def says(aws, name, event=None, **arguments):
    answer = invoke(aws, name, event or {}, **arguments)
    assert "FunctionError" not in answer, answer
    return json.loads(answer["Payload"])


def test_a_configuration_is_made_shown_listed_and_deleted(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name, "live")
    assert client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []
    made = put(client, name, "live", 2)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    stamp = made.pop("LastModified")
    assert STAMP.fullmatch(stamp)
    assert made == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    shown = ready(client, name, "live")
    assert shown.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert shown == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AllocatedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 2,
        "Status": "READY",
        "LastModified": stamp,
    }
    assert get(client, arn(name, "live"), "live")["Status"] == "READY"
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)
    assert listed["ProvisionedConcurrencyConfigs"] == [{"FunctionArn": arn(name, "live"), **shown}]
    assert "NextMarker" not in listed

    client.create_alias(FunctionName=name, Name="other", FunctionVersion="1")
    put(client, name, "other", 1)
    first = client.list_provisioned_concurrency_configs(FunctionName=name, MaxItems=1)
    second = client.list_provisioned_concurrency_configs(FunctionName=name, MaxItems=1, Marker=first["NextMarker"])
    pages = [first["ProvisionedConcurrencyConfigs"], second["ProvisionedConcurrencyConfigs"]]
    assert [[item["FunctionArn"] for item in page] for page in pages] == [[arn(name, "live")], [arn(name, "other")]]
    assert "NextMarker" not in second

    delete = client.delete_provisioned_concurrency_config
    for _ in range(2):
        assert delete(FunctionName=name, Qualifier="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    text("ProvisionedConcurrencyConfigNotFoundException", 404, NO_CONFIG,
         client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="live")
    delete(FunctionName=name, Qualifier="other")
    assert client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []


def test_configurations_that_cannot_be(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name, "live")
    calls = (
        (client.put_provisioned_concurrency_config, {"ProvisionedConcurrentExecutions": 1}, LATEST),
        (client.get_provisioned_concurrency_config, {}, NO_VERSION),
        (client.delete_provisioned_concurrency_config, {}, NO_VERSION),
    )
    missing = f"{name}-missing"
    for call, more, latest in calls:
        error = text("InvalidParameterValueException", 400, latest, call, FunctionName=name, Qualifier="$LATEST", **more)
        assert error["Type"] == "User"
        for function in (name, missing):
            text("ResourceNotFoundException", 404, f"Cannot find alias arn: {arn(function, 'none')}", call,
                 FunctionName=function, Qualifier="none", **more)
            text("ResourceNotFoundException", 404, f"Function not found: {arn(function, '10')}", call,
                 FunctionName=function, Qualifier="10", **more)
        refused("InvalidParameterValueException", 400, call, FunctionName=f"{name}:1", Qualifier="2", **more)
    text("ResourceNotFoundException", 404, f"Function not found: {arn(missing)}",
         client.list_provisioned_concurrency_configs, FunctionName=missing)
    error = text("ProvisionedConcurrencyConfigNotFoundException", 404, NO_CONFIG,
                 client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="1")
    assert error["Type"] == "User"
    # botocore itself refuses less than one; the platform refuses it to those who check nothing.
    unchecked = aws.client("lambda", parameter_validation=False)
    refused("ValidationException", 400, unchecked.put_provisioned_concurrency_config,
            FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=0)

    put(client, name, "1", 1)
    error = text("ResourceConflictException", 409, TAKEN, client.put_provisioned_concurrency_config,
                 FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    assert error["Type"] == "User"
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    put(client, name, "live", 1)
    text("ResourceConflictException", 409, POINTED, client.put_provisioned_concurrency_config,
         FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")

    client.update_function_code(FunctionName=name, ZipFile=package(ENVIRONMENT + "# two"))
    assert publish(client, name) == "2"
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    text("InvalidParameterValueException", 400, WEIGHTS, client.put_provisioned_concurrency_config,
         FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)


def test_amounts_come_out_of_the_reservation_or_of_what_nobody_reserved(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name)
    call = client.put_provisioned_concurrency_config
    wish = {"FunctionName": name, "Qualifier": "1"}
    before = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    text("InvalidParameterValueException", 400,
         f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{before}].",
         call, **wish, ProvisionedConcurrentExecutions=before + 1)
    text("InvalidParameterValueException", 400,
         "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
         "minimum value of [100].", call, **wish, ProvisionedConcurrentExecutions=before - 99)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    text("InvalidParameterValueException", 400, RESERVED, call, **wish, ProvisionedConcurrentExecutions=3)
    call(**wish, ProvisionedConcurrentExecutions=2)
    error = refused("InvalidParameterValueException", 400, client.put_function_concurrency,
                    FunctionName=name, ReservedConcurrentExecutions=1)
    assert "should not be lower than function's total provisioned concurrency [2]." in error["Error"]["Message"]
    client.delete_function_concurrency(FunctionName=name)
    left = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert left == before - 2
    client.delete_provisioned_concurrency_config(**wish)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before


def test_the_first_call_is_answered_without_an_init(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name, "live")
    put(client, name, "live", 1)
    ready(client, name, "live")
    asked = time.monotonic()
    answer = invoke(aws, name, {}, Qualifier="live", LogType="Tail")
    said = json.loads(answer["Payload"])
    assert said["born"] < asked, "it was born for this call"
    assert (said["calls"], said["kind"], said["version"]) == (1, "provisioned-concurrency", "1")
    log = base64.b64decode(answer["LogResult"]).decode()
    report = [line for line in log.splitlines() if line.startswith("REPORT ")]
    assert len(report) == 1 and "Init Duration" not in report[0], log
    assert "INIT" not in log
    (record,) = executions(aws, name, 1)
    assert (record["cold"], record["initMs"]) == (None, None), record
    # One that nobody asked for stands beside it, and shows its start.
    answer = invoke(aws, name, {}, LogType="Tail")
    assert json.loads(answer["Payload"])["kind"] == "on-demand"
    assert "Init Duration" in base64.b64decode(answer["LogResult"]).decode()


def test_calls_beyond_what_stands_are_served_on_demand(aws, create, name):
    create(ENVIRONMENT, Timeout=30)
    client = aws.client("lambda")
    publish(client, name, "live")
    put(client, name, "live", 1)
    ready(client, name, "live")
    found, lock = [], threading.Lock()

    def call():
        said = says(aws, name, {"sleep": 5}, Qualifier="live")
        with lock:
            found.append(said)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: get(client, name, "live"), lambda answer: answer["AvailableProvisionedConcurrentExecutions"] == 0)
    assert get(client, name, "live")["AllocatedProvisionedConcurrentExecutions"] == 1
    for thread in threads:
        thread.join()
    assert sorted(said["kind"] for said in found) == ["on-demand", "provisioned-concurrency"], found
    ready(client, name, "live")


def test_what_dies_is_replaced(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name)
    put(client, name, "1", 1)
    ready(client, name, "1")
    first = says(aws, name, Qualifier="1")
    assert invoke(aws, name, {"exit": True}, Qualifier="1")["FunctionError"] == "Unhandled"
    until(lambda: get(client, name, "1"), lambda answer: answer["AvailableProvisionedConcurrentExecutions"] == 1)
    second = says(aws, name, Qualifier="1")
    assert second["kind"] == "provisioned-concurrency"
    assert (second["calls"], second["name"] == first["name"]) == (1, False)


def test_what_cannot_start_says_so(aws, create, name):
    create("raise Exception('no')\n")
    client = aws.client("lambda")
    publish(client, name)
    put(client, name, "1", 2)
    failed = until(lambda: get(client, name, "1"), lambda answer: answer["Status"] == "FAILED")
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert failed["AllocatedProvisionedConcurrentExecutions"] == 0
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert [(item["Status"], item["StatusReason"]) for item in listed] == [("FAILED", failed["StatusReason"])]
    answer = invoke(aws, name, {}, Qualifier="1")
    assert json.loads(answer["Payload"])["errorMessage"] == "no"


def test_an_alias_takes_its_environments_along(aws, create, name):
    create(ENVIRONMENT)
    client = aws.client("lambda")
    publish(client, name, "live")
    put(client, name, "live", 1)
    ready(client, name, "live")
    old = says(aws, name, Qualifier="live")
    client.update_function_code(FunctionName=name, ZipFile=package(ENVIRONMENT + "# two"))
    publish(client, name)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    ready(client, name, "live")
    asked = time.monotonic()
    new = says(aws, name, Qualifier="live")
    assert (new["kind"], new["version"], new["calls"]) == ("provisioned-concurrency", "2", 1)
    assert new["born"] < asked
    # The old one goes, once the new one stands.
    until(lambda: says(aws, name, Qualifier="1"), lambda said: said["name"] != old["name"])
    # With weights each version gets its part.
    put(client, name, "live", 2)
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
    ready(client, name, "live")
    assert says(aws, name, Qualifier="2")["kind"] == "provisioned-concurrency"
    client.delete_alias(FunctionName=name, Name="live")
    assert client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []


def test_they_stand_again_after_a_power_failure(launch, tmp_path):
    instance = launch()
    iam, client = instance.client("iam"), instance.client("lambda")
    owner = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client.create_function(FunctionName="f", Runtime=RUNTIME, Role=owner, Handler="handler.handle",
                           Code={"ZipFile": package(ENVIRONMENT)})
    publish(client, "f", "live")
    put(client, "f", "live", 2)
    ready(client, "f", "live")
    before = says(instance, "f", Qualifier="live")
    instance.kill()
    instance = launch(instance.data_dir)
    client = instance.client("lambda")
    ready(client, "f", "live")
    asked = time.monotonic()
    after = says(instance, "f", Qualifier="live")
    assert (after["kind"], after["calls"]) == ("provisioned-concurrency", 1)
    assert after["name"] != before["name"] and after["born"] < asked
    # Killed while a change is under way, too.
    put(client, "f", "live", 1)
    instance.kill()
    instance = launch(instance.data_dir)
    shown = ready(instance.client("lambda"), "f", "live")
    assert shown["AllocatedProvisionedConcurrentExecutions"] == 1
    instance.stop()


def test_a_new_version_under_load_drops_no_call(aws, create, name):
    source = "NUMBER = 0\ndef handle(event, context):\n    return [NUMBER, context.function_version]\n"
    create(source)
    client = aws.client("lambda")
    publish(client, name, "live")
    put(client, name, "live", 1)
    ready(client, name, "live")
    stop, lock, answers, broken = threading.Event(), threading.Lock(), [], []

    def load():
        own = aws.client("lambda")
        while not stop.is_set():
            try:
                answer = own.invoke(FunctionName=name, Qualifier="live")
                number, version = json.loads(answer["Payload"].read())
                good = answer["StatusCode"] == 200 and "FunctionError" not in answer
                good = good and answer["ExecutedVersion"] == version and number == int(version) - 1
                with lock:
                    answers.append(version)
                    if not good:
                        broken.append(answer)
            except Exception as error:  # noqa: BLE001
                with lock:
                    broken.append(repr(error))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 6):
            changed = source.replace("NUMBER = 0", f"NUMBER = {number}")
            client.update_function_code(FunctionName=name, ZipFile=package(changed))
            version = publish(client, name)
            client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
            with lock:
                moved = len(answers)
            # What is asked for from now on is answered by the new version.
            until(lambda: answers[moved:], lambda later, version=version: broken or later.count(version) >= 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not broken, broken[:3]
    assert sorted(set(answers), key=int) == [str(number) for number in range(1, 7)]


def test_a_weighted_alias_shares_calls_out(aws, create, name):
    source = "def handle(event, context):\n    return context.function_version\n"
    create(source)
    client = aws.client("lambda")
    publish(client, name, "live")
    client.update_function_code(FunctionName=name, ZipFile=package(source + "# two"))
    assert publish(client, name) == "2"
    weight = 0.3
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": weight}})
    lock, versions, broken, left = threading.Lock(), [], [], iter(range(CALLS))

    def work():
        own = aws.client("lambda")
        while True:
            with lock:
                if next(left, None) is None:
                    return
            answer = own.invoke(FunctionName=name, Qualifier="live")
            version = json.loads(answer["Payload"].read())
            with lock:
                versions.append(version)
                if answer["ExecutedVersion"] != version:
                    broken.append(answer)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions) == CALLS and not broken and set(versions) == {"1", "2"}
    # Five standard deviations: wrong once in a million runs.
    deviation = (CALLS * weight * (1 - weight)) ** 0.5
    assert abs(versions.count("2") - CALLS * weight) < 5 * deviation, versions.count("2")
