"""SIGKILL of the real process at random moments, under asynchronous invocations.

Each event that was accepted must reach one terminal state, and be told to its destination. An event may run more than
once: a kill between a run and the writing of its end repeats it. The number of kills is APUS_ASYNC_KILLS (6 unless told
otherwise), the seed of their moments APUS_KILL_SEED.
"""

import collections
import json
import os
import random
import subprocess
import threading
import zipfile
from io import BytesIO

import pytest
from conftest import ACCOUNT, REGION, fsck
from test_kill import GONE, SEED, TRUST
from test_lambda import SIGNED

KILLS = int(os.environ.get("APUS_ASYNC_KILLS", "6"))
SENDERS = 4
# Every run says that it began. Every third event fails, every fifth takes a second.
HANDLER = SIGNED + '''
import json, time

def handle(event, context):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    queue = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/ran"
    body = {"requestContext": {"requestId": context.aws_request_id}}
    body = json.dumps({"QueueUrl": queue, "MessageBody": json.dumps(body)}).encode()
    status, answer = call("sqs", "POST", "/", body, headers)
    assert status == 200, answer
    if event["n"] % 5 == 0:
        time.sleep(1)
    if event["n"] % 3 == 0:
        raise ValueError(event["n"])
    return event["n"]
'''


def package():
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("f.py", HANDLER)
    return sink.getvalue()


class Load:
    """The events that were acknowledged, by their request's id."""

    def __init__(self):
        self.lock = threading.Lock()
        self.number = 0
        self.accepted = {}
        self.failures = []

    def send(self, instance, stop):
        client = instance.client("lambda")
        while not stop.is_set():
            with self.lock:
                self.number += 1
                number = self.number
            try:
                answer = client.invoke(FunctionName="worker", InvocationType="Event", Payload=json.dumps({"n": number}))
            except GONE:
                return
            except Exception as error:  # noqa: BLE001
                self.failures.append(repr(error))
                return
            with self.lock:
                self.accepted[answer["ResponseMetadata"]["RequestId"]] = number


def prepare(instance):
    """A function with a destination for each end, which every event tells of its end."""
    instance.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    policy = {"Version": "2012-10-17",
              "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
    instance.client("iam").put_role_policy(
        RoleName="worker", PolicyName="tell", PolicyDocument=json.dumps(policy))
    for queue in ("ran", "done", "failed", "dead"):
        instance.client("sqs").create_queue(QueueName=queue)
    queue_arn = lambda queue: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"  # noqa: E731
    client = instance.client("lambda")
    client.create_function(
        FunctionName="worker", Runtime="python3.11", Handler="f.handle", Role=f"arn:aws:iam::{ACCOUNT}:role/worker",
        Timeout=120, Code={"ZipFile": package()}, DeadLetterConfig={"TargetArn": queue_arn("dead")})
    client.put_function_event_invoke_config(
        FunctionName="worker", MaximumRetryAttempts=0, DestinationConfig={
            "OnSuccess": {"Destination": queue_arn("done")}, "OnFailure": {"Destination": queue_arn("failed")}})


def drain(instance, queue, expected):
    """The bodies and ids of a queue's messages, until all that are expected have come and no more do, or none do for long."""
    sqs, url = instance.client("sqs"), f"{instance.endpoint}/{ACCOUNT}/{queue}"
    found, quiet = collections.Counter(), 0
    while quiet < 2 or (expected - set(found) and quiet < 120):
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                  MessageAttributeNames=["All"]).get("Messages", [])
        quiet = 0 if got else quiet + 1
        for message in got:
            attributes = message.get("MessageAttributes")
            body = json.loads(message["Body"])
            found[attributes["RequestID"]["StringValue"] if attributes else body["requestContext"]["requestId"]] += 1
        if got:
            sqs.delete_message_batch(QueueUrl=url, Entries=[
                {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(got)])
    return found


def recorded(instance, request):
    """What the instance knows of a request."""
    env = {**os.environ, "AWS_ENDPOINT_URL": instance.endpoint}
    listed = subprocess.run([os.environ["APUS_BINARY"], "executions", "--limit", "9000", "--json"],
                            env=env, capture_output=True, text=True, check=True)
    return [one for one in json.loads(listed.stdout) if one["requestId"] == request]


@pytest.mark.timeout(180 + 30 * KILLS)
def test_every_accepted_event_ends_once_whatever_is_killed(launch, tmp_path):
    dice = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills")
    data, load = tmp_path / "data", Load()
    instance = launch(data)
    prepare(instance)
    for kill in range(KILLS):
        stop = threading.Event()
        threads = [threading.Thread(target=load.send, args=(instance, stop)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        # The moment of the kill is chance; nothing waits for it to have happened.
        stop.wait(dice.uniform(0.3, 5.0))
        instance.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert not load.failures, load.failures
        # It recovers the store too, so every other kill is left to the start.
        if kill % 2:
            fsck(data)
        instance = launch(data)
    good = {request for request, number in load.accepted.items() if number % 3}
    bad = set(load.accepted) - good
    told = {queue: drain(instance, queue, expected)
            for queue, expected in (("done", good), ("failed", bad), ("dead", bad))}
    for queue, expected in (("done", good), ("failed", bad), ("dead", bad)):
        lost = sorted(expected - set(told[queue]))
        assert not lost, f"{len(lost)} accepted events were never told to {queue}, such as {recorded(instance, lost[0])}"
    ran = drain(instance, "ran", set(load.accepted))
    assert set(load.accepted) <= set(ran), "events that ended without a run"
    assert not set(told["done"]) & set(told["failed"]), "events with two ends"
    assert set(told["failed"]) == set(told["dead"])

    env = {**os.environ, "AWS_ENDPOINT_URL": instance.endpoint}
    listed = subprocess.run([os.environ["APUS_BINARY"], "executions", "--limit", "9000", "--json"],
                            env=env, capture_output=True, text=True, check=True)
    ends, runs = collections.Counter(), collections.Counter()
    for execution in json.loads(listed.stdout):
        runs[execution["requestId"]] += 1
        ends[execution["requestId"]] += execution["ended"] is not None
        assert not execution["undelivered"], execution
    assert len(load.accepted) < 9_000, "more events than executions are listed: the rest of the test proves nothing"
    wrong = {request: ends[request] for request in load.accepted if ends[request] != 1}
    assert not wrong, f"events without one end: {dict(list(wrong.items())[:3])}"
    # What nobody heard of may have been accepted too; it ended all the same.
    assert all(count == 1 for count in ends.values()), "events with more than one end"
    instance.stop()
    fsck(data)
    twice = {queue: sum(count - 1 for count in found.values()) for queue, found in told.items()}
    print(f"{len(load.accepted)} events acknowledged, {len(ends) - len(load.accepted)} more ended; "
          f"{sum(ran.values()) - len(ran)} runs were repeated after a kill, told twice: {twice}; "
          f"{sum(runs.values()) - len(runs)} attempts that were not the last")
