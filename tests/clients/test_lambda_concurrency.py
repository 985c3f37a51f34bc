"""Lambda: reserved concurrency is kept, counted and enforced.

APUS_CONCURRENCY_CALLS is how many calls the test under load makes (200 unless told).
"""

import json
import os
import random
import threading
import time

from botocore.exceptions import ClientError
from lambda_functions import RUNTIME, arn, create, invoke, package, refused, role, text  # noqa: F401

CALLS = int(os.environ.get("APUS_CONCURRENCY_CALLS", "200"))
CLIENTS = 64
LIMIT = 20
FUNCTIONS_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
    "Please specify either a function name or an unqualified function ARN."
)
TOO_MUCH = (
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
    "its minimum value of [100]."
)

# Sandboxes share the host's monotonic clock.
TIMES = """
import time

def handle(event, context):
    begun = time.monotonic()
    time.sleep(0.2)
    return [begun, time.monotonic()]
"""


def test_a_reservation_is_kept_shown_and_deleted(aws, create, name):
    create()
    client = aws.client("lambda")
    shown = client.get_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in shown
    assert "Concurrency" not in client.get_function(FunctionName=name)
    put = client.put_function_concurrency(FunctionName=arn(name), ReservedConcurrentExecutions=7)
    assert (put["ResponseMetadata"]["HTTPStatusCode"], put["ReservedConcurrentExecutions"]) == (200, 7)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    deleted = client.delete_function_concurrency(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    client.delete_function_concurrency(FunctionName=name)


def test_a_hundred_stay_for_everybody(aws, create, name):
    other = f"{name}-other"
    create()
    create(function=other)
    client = aws.client("lambda")
    put = client.put_function_concurrency
    put(FunctionName=name, ReservedConcurrentExecutions=900)
    text("InvalidParameterValueException", 400, TOO_MUCH, put, FunctionName=other, ReservedConcurrentExecutions=1)
    text("InvalidParameterValueException", 400, TOO_MUCH, put, FunctionName=name, ReservedConcurrentExecutions=901)
    # What is given back is there for others, by a smaller reservation and by the end of a function.
    put(FunctionName=name, ReservedConcurrentExecutions=899)
    put(FunctionName=other, ReservedConcurrentExecutions=1)
    client.delete_function(FunctionName=name)
    put(FunctionName=other, ReservedConcurrentExecutions=900)
    client.delete_function_concurrency(FunctionName=other)


def test_reservations_that_cannot_be(aws, create, name):
    create()
    client = aws.client("lambda")
    calls = (
        (client.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
        (client.get_function_concurrency, {}),
        (client.delete_function_concurrency, {}),
    )
    for call, arguments in calls:
        missing = f"{name}-missing"
        error = text("ResourceNotFoundException", 404, f"Function not found: {arn(missing)}", call,
                     FunctionName=missing, **arguments)
        assert error["Type"] == "User"
        for qualified in (f"{name}:1", arn(name, "$LATEST")):
            text("InvalidParameterValueException", 400, FUNCTIONS_ONLY, call, FunctionName=qualified, **arguments)
    refused("ValidationException", 400, aws.client("lambda", parameter_validation=False).put_function_concurrency,
            FunctionName=name, ReservedConcurrentExecutions=-1)


def test_a_function_with_nothing_reserved_for_it_is_throttled(aws, create, name):
    create()
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    error = text("TooManyRequestsException", 429, "Rate Exceeded.", client.invoke, FunctionName=name)
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert error["Type"] == "User"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert json.loads(invoke(aws, name, 1)["Payload"]) == 1


def test_the_cli_reserves(aws, create, name):
    create()
    put = aws.cli("lambda", "put-function-concurrency", "--function-name", name,
                  "--reserved-concurrent-executions", 3)
    assert json.loads(put.stdout) == {"ReservedConcurrentExecutions": 3}
    shown = aws.cli("lambda", "get-function-concurrency", "--function-name", name)
    assert json.loads(shown.stdout) == {"ReservedConcurrentExecutions": 3}
    aws.cli("lambda", "delete-function-concurrency", "--function-name", name)
    assert aws.cli("lambda", "get-function-concurrency", "--function-name", name).stdout.strip() in ("", "{}")


def test_no_more_run_at_once_than_are_reserved(aws, create, name):
    create(TIMES, Timeout=30)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=LIMIT)
    left = list(range(CALLS))
    times, failures, throttled = [], [], []

    def work(client, chance):
        while True:
            try:
                left.pop()
            except IndexError:
                return
            while True:
                try:
                    answer = client.invoke(FunctionName=name)
                    assert "FunctionError" not in answer
                    times.append(json.loads(answer["Payload"].read()))
                    break
                except ClientError as error:
                    response = error.response
                    # So many clients may exceed the rate, too: ten a second for each that is reserved.
                    if response.get("Reason") not in (
                        "ReservedFunctionConcurrentInvocationLimitExceeded", "ReservedFunctionInvocationRateLimitExceeded",
                    ):
                        failures.append(response)
                        break
                    throttled.append(1)
                    # A client's back-off.
                    time.sleep(chance.uniform(0.01, 0.1))
                except Exception as error:  # noqa: BLE001 a thread's failure is the test's
                    failures.append(error)
                    break

    clients = [aws.client("lambda") for _ in range(CLIENTS)]
    threads = [threading.Thread(target=work, args=(client, random.Random(n))) for n, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(times) == CALLS

    # An end comes before a beginning at the same time.
    edges = sorted([(begun, 1) for begun, _ in times] + [(ended, -1) for _, ended in times])
    running = peak = 0
    for _, change in edges:
        running += change
        peak = max(peak, running)
    wall = max(ended for _, ended in times) - min(begun for begun, _ in times)
    busy = sum(ended - begun for begun, ended in times)
    print(f"\n{CALLS} calls from {CLIENTS} clients, {len(throttled)} throttled and tried again: at most {peak} of "
          f"{LIMIT} at once, slots in use {busy / (LIMIT * wall):.0%} of {wall:.2f} s")
    assert peak == LIMIT


def at_once(client, function, count):
    """What so many calls at once come to: answers, and errors by their reasons."""
    together = threading.Barrier(count)
    answers, reasons = [], []

    def call():
        own = client()
        own.list_functions(MaxItems=1)
        together.wait()
        try:
            answers.append(json.load(own.invoke(FunctionName=function)["Payload"]))
        except ClientError as error:
            found = error.response
            assert (found["Error"]["Code"], found["Error"]["Message"]) == ("TooManyRequestsException", "Rate Exceeded.")
            answer = found["ResponseMetadata"]
            assert (answer["HTTPStatusCode"], answer["HTTPHeaders"]["retry-after"]) == (429, "1")
            reasons.append(found["Reason"])

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(answers), sorted(reasons)


def test_what_is_not_reserved_is_shared_up_to_the_accounts_quota(launch, name):
    instance = launch(arguments=["--concurrency-limit", "105"])
    client = instance.client("lambda")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    made = instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    source = TIMES.replace("0.2", "3")
    for function in ("one", "two", "own"):
        client.create_function(FunctionName=function, Runtime=RUNTIME, Role=made, Handler="handler.handle", Timeout=30,
                               Code={"ZipFile": package(source)})
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (105, 105)
    client.put_function_concurrency(FunctionName="own", ReservedConcurrentExecutions=2)
    text("InvalidParameterValueException", 400, TOO_MUCH, client.put_function_concurrency,
         FunctionName="one", ReservedConcurrentExecutions=4)
    client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=3)
    client.delete_function_concurrency(FunctionName="one")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 103
    instance.stop()
    # The same functions, where less is left for those that have nothing for themselves.
    instance = launch(instance.data_dir, arguments=["--concurrency-limit", "5"])
    of = lambda: instance.client("lambda")  # noqa: E731
    assert of().get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 3
    limit = "ConcurrentInvocationLimitExceeded"
    found = {}
    threads = [
        threading.Thread(target=lambda: found.update(one=at_once(of, "one", 5))),
        threading.Thread(target=lambda: found.update(own=at_once(of, "own", 4))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["one"] == (3, [limit] * 2)
    assert found["own"] == (2, ["ReservedFunctionConcurrentInvocationLimitExceeded"] * 2)
    assert at_once(of, "two", 2) == (2, [])


def until_refused(client, **arguments):
    """Calls one after another until one is refused: its reason."""
    for _ in range(1000):
        try:
            client.invoke(**arguments)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "TooManyRequestsException"
            return error.response["Reason"]
    raise AssertionError("nothing is refused")


def test_a_function_is_invoked_ten_times_a_second_for_each_that_is_reserved(aws, create, name):
    create()
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert until_refused(client, FunctionName=name) == "ReservedFunctionInvocationRateLimitExceeded"


def test_an_account_invokes_ten_times_a_second_for_each_of_its_quota(launch, name):
    instance = launch(arguments=["--concurrency-limit", "1"])
    client = instance.client("lambda")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    made = instance.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    for function in ("one", "two"):
        client.create_function(FunctionName=function, Runtime=RUNTIME, Role=made, Handler="handler.handle",
                               Code={"ZipFile": package()})
    assert until_refused(client, FunctionName="one") == "FunctionInvocationRateLimitExceeded"
    # Within the same second the other function is too much of the caller's; a second that ends meanwhile is another try.
    while True:
        until_refused(client, FunctionName="one")
        try:
            client.invoke(FunctionName="two")
        except ClientError as error:
            assert error.response["Reason"] == "CallerRateLimitExceeded"
            break
