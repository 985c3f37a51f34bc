"""SIGKILL of the real process at random moments, under mixed load on all five services.

After each restart every acknowledged write must be there, whole; what was under way may be there or not. The
number of kills is APUS_KILLS (12 unless told otherwise), the seed of their moments APUS_KILL_SEED.
"""

import hashlib
import json
import os
import random
import threading
import time
import zipfile
from io import BytesIO

import botocore.exceptions
import pytest
from conftest import ACCOUNT, fsck

KILLS = int(os.environ.get("APUS_KILLS", "12"))
SEED = int(os.environ.get("APUS_KILL_SEED", str(random.randrange(1 << 32))))
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})
# What a client sees of a server that was killed; anything else is the server's mistake.
GONE = (
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ConnectionClosedError,
    botocore.exceptions.ReadTimeoutError,
    botocore.exceptions.ResponseStreamingError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ConnectionError,
)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def package(marker):
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("f.py", f"def handle(event, context):\n    return {marker!r}\n")
    return sink.getvalue()


class Load:
    """What was asked for, what was acknowledged, and what nobody knows."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.number = 0
        self.sent, self.maybe_sent = {}, {}
        self.deleted, self.maybe_deleted = set(), set()
        # The values that a key may have: one once a write was acknowledged, more while one is unknown.
        self.objects, self.roles, self.functions = {}, {}, {}

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def run(self, instance, queue, stop, failures):
        """Runs until the server goes away."""
        workers = [self.send, self.send, self.receive, self.put, self.put_role, self.put_function]

        def work(step):
            clients = {name: instance.client(name) for name in ("sqs", "s3", "iam", "lambda")}
            while not stop.is_set():
                try:
                    step(clients, queue)
                except GONE:
                    return
                except Exception as error:  # noqa: BLE001
                    failures.append(f"{step.__name__}: {error!r}")
                    return

        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        return threads

    def send(self, clients, queue):
        text = f"message {self.next()}"
        body = f"{text} {digest(text)}"
        with self.lock:
            self.maybe_sent[body] = True
        clients["sqs"].send_message(QueueUrl=queue, MessageBody=body)
        with self.lock:
            self.sent[body] = True

    def receive(self, clients, queue):
        for message in clients["sqs"].receive_message(
            QueueUrl=queue, MaxNumberOfMessages=3, WaitTimeSeconds=1, VisibilityTimeout=1
        ).get("Messages", []):
            body = message["Body"]
            text, _, mark = body.rpartition(" ")
            assert mark == digest(text), f"a torn message: {body!r}"
            with self.lock:
                assert body in self.maybe_sent, f"nobody sent {body!r}"
                assert body not in self.deleted, f"deleted, and back: {body!r}"
                self.maybe_deleted.add(body)
            clients["sqs"].delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            with self.lock:
                self.deleted.add(body)

    def write(self, table, key, value, call):
        with self.lock:
            table.setdefault(key, [None]).append(value)
        call()
        with self.lock:
            table[key] = [value]

    def put(self, clients, _queue):
        number = self.next()
        size = self.random.choice([10, 1_000, 200_000])
        body = (f"{number}:" + "x" * size).encode()
        self.write(self.objects, f"key-{number % 40}", hashlib.sha256(body).hexdigest(),
                   lambda: clients["s3"].put_object(Bucket="kills", Key=f"key-{number % 40}", Body=body))

    def put_role(self, clients, _queue):
        number = self.next()
        policy = {"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": f"sqs:{number}", "Resource": "*"}]}
        self.write(self.roles, f"p-{number % 5}", policy, lambda: clients["iam"].put_role_policy(
            RoleName="killer", PolicyName=f"p-{number % 5}", PolicyDocument=json.dumps(policy)))

    def put_function(self, clients, _queue):
        number = self.next()
        name = f"f-{number}"
        self.write(self.functions, name, f"f {number}", lambda: clients["lambda"].create_function(
            FunctionName=name, Runtime="python3.11", Handler="f.handle",
            Role=f"arn:aws:iam::{ACCOUNT}:role/killer", Code={"ZipFile": package(f"f {number}")}))

    def check(self, instance):
        """Holds a recovered instance to what was acknowledged."""
        s3, iam, functions = instance.client("s3"), instance.client("iam"), instance.client("lambda")
        for key, values in self.objects.items():
            try:
                found = hashlib.sha256(s3.get_object(Bucket="kills", Key=key)["Body"].read()).hexdigest()
            except s3.exceptions.NoSuchKey:
                found = None
            assert found in values, f"object {key}: {found} is none of {values}"
            self.objects[key] = [found]
        for name, values in self.roles.items():
            try:
                found = iam.get_role_policy(RoleName="killer", PolicyName=name)["PolicyDocument"]
            except iam.exceptions.NoSuchEntityException:
                found = None
            assert found in values, f"policy {name}: {found} is none of {values}"
            self.roles[name] = [found]
        listed = {one["FunctionName"] for page in functions.get_paginator("list_functions").paginate()
                  for one in page["Functions"]}
        for name, values in self.functions.items():
            assert (name in listed) in {value is not None for value in values}, f"function {name}: {values}"
        return listed

    def drain(self, instance, queue):
        """Receives everything that is left: every acknowledged message that nobody deleted is among it."""
        sqs, left = instance.client("sqs"), set()
        quiet = 0
        while quiet < 2:
            got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2,
                                      VisibilityTimeout=600).get("Messages", [])
            quiet = 0 if got else quiet + 1
            for message in got:
                text, _, mark = message["Body"].rpartition(" ")
                assert mark == digest(text), f"a torn message: {message['Body']!r}"
                left.add(message["Body"])
        lost = set(self.sent) - left - self.maybe_deleted
        assert not lost, f"{len(lost)} acknowledged messages are gone, such as {sorted(lost)[:3]}"
        assert not left & self.deleted, "deleted messages are back"
        assert left <= set(self.maybe_sent), "messages that nobody sent"


@pytest.mark.timeout(60 + 20 * KILLS)
def test_what_was_acknowledged_survives_sigkill(launch, tmp_path):
    print(f"seed {SEED}, {KILLS} kills")
    load = Load(SEED)
    data = tmp_path / "data"
    instance = launch(data)
    instance.client("iam").create_role(RoleName="killer", AssumeRolePolicyDocument=TRUST)
    instance.client("s3").create_bucket(Bucket="kills")
    queue_of = lambda one: f"{one.endpoint}/{ACCOUNT}/kills"  # noqa: E731
    instance.client("sqs").create_queue(QueueName="kills")
    slowest = 0
    for kill in range(KILLS):
        stop, failures = threading.Event(), []
        threads = load.run(instance, queue_of(instance), stop, failures)
        # The moment of the kill is chance; nothing waits for it to have happened.
        stop.wait(load.random.uniform(0.05, 1.5))
        instance.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures
        # It recovers the store too, so every other kill is left to the start.
        if kill % 2:
            fsck(data)
        begun = time.monotonic()
        instance = launch(data)
        slowest = max(slowest, time.monotonic() - begun)
        listed = load.check(instance)
    if listed:
        name = sorted(listed)[0]
        answer = json.loads(instance.client("lambda").invoke(FunctionName=name)["Payload"].read())
        assert answer in load.functions[name]
    load.drain(instance, queue_of(instance))
    instance.stop()
    checked = fsck(data)
    print(f"{len(load.sent)} sends, {len(load.objects)} objects, {len(load.functions)} functions; "
          f"slowest restart {slowest:.2f} s; {checked}")
