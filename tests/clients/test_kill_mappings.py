"""SIGKILL of the real process while producers, a consumer and mappings run.

Every acknowledged message is handled at least once, groups keep their order, and what was deleted never comes back.
The number of kills is APUS_KILLS (5 unless told otherwise), the seed of their moments APUS_KILL_SEED.
"""

import json
import os
import random
import threading
import time

import pytest
from conftest import ACCOUNT, fsck
from mapping_calls import make_function, make_queue, make_role, queue_arn, receive, settled
from test_kill import GONE

KILLS = int(os.environ.get("APUS_KILLS", "5"))
SEED = int(os.environ.get("APUS_KILL_SEED", str(random.randrange(1 << 32))))
VISIBILITY_SECS = 2
GROUPS = ["a", "b"]


class Load:
    """What was asked for, and what was acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.number = 0
        self.sent, self.deleted = set(), set()
        self.broken = []

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def run(self, instance, stop):
        """Runs until the server goes away."""
        def work(step, *arguments):
            sqs = instance.client("sqs")
            while not stop.is_set():
                try:
                    step(sqs, lambda name: f"{instance.endpoint}/{ACCOUNT}/{name}", *arguments)
                except GONE:
                    return
                except Exception as error:  # noqa: BLE001
                    self.broken.append(f"{step.__name__}: {error!r}")
                    return

        threads = [threading.Thread(target=work, args=(self.send, queue)) for queue in ("jobs", "plain")]
        threads += [threading.Thread(target=work, args=(self.send_in_order, group)) for group in GROUPS]
        threads.append(threading.Thread(target=work, args=(self.consume,)))
        for thread in threads:
            thread.start()
        return threads

    def send(self, sqs, url, queue):
        body = json.dumps({"queue": queue, "n": self.next()})
        sqs.send_message(QueueUrl=url(queue), MessageBody=body)
        with self.lock:
            self.sent.add(body)

    def send_in_order(self, sqs, url, group):
        """One producer a group: its numbers rise in the order of the group."""
        body = json.dumps({"queue": "line.fifo", "group": group, "n": self.next()})
        sqs.send_message(QueueUrl=url("line.fifo"), MessageBody=body, MessageGroupId=group)
        with self.lock:
            self.sent.add(body)

    def consume(self, sqs, url):
        got = sqs.receive_message(QueueUrl=url("plain"), MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in got.get("Messages", []):
            assert message["Body"] not in self.deleted, f"deleted, and back: {message['Body']}"
            sqs.delete_message(QueueUrl=url("plain"), ReceiptHandle=message["ReceiptHandle"])
            with self.lock:
                self.deleted.add(message["Body"])


def left(instance, name):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = instance.client("sqs").get_queue_attributes(
        QueueUrl=f"{instance.endpoint}/{ACCOUNT}/{name}", AttributeNames=names)["Attributes"]
    return sum(int(count) for count in found.values())


@pytest.mark.timeout(120 + 20 * KILLS)
def test_mappings_lose_nothing_and_keep_their_order_under_sigkill(launch, tmp_path):
    print(f"seed {SEED}, {KILLS} kills")
    dice, load, data = random.Random(SEED), Load(), tmp_path / "data"
    instance = launch(data)
    _, role = make_role(instance, "sqs:*")
    make_queue(instance, "seen")
    make_queue(instance, "plain", VisibilityTimeout="1")
    mappings = []
    for queue, function in (("jobs", "worker"), ("line.fifo", "liner")):
        make_queue(instance, queue, VisibilityTimeout=str(VISIBILITY_SECS))
        make_function(instance, function, role, "seen", Timeout=VISIBILITY_SECS)
        mappings.append(instance.client("lambda").create_event_source_mapping(
            EventSourceArn=queue_arn(queue), FunctionName=function)["UUID"])
    for mapping in mappings:
        settled(instance, mapping)
    for kill in range(KILLS):
        stop = threading.Event()
        threads = load.run(instance, stop)
        # The moment of the kill is chance; nothing waits for it to have happened.
        stop.wait(dice.uniform(0.1, 2.5))
        instance.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert not load.broken, load.broken
        # It recovers the store too, so every other kill is left to the start.
        if kill % 2:
            fsck(data)
        instance = launch(data)
    # Nobody makes anything new: what was acknowledged is handled by the mappings that came back with the store.
    deadline = time.monotonic() + 90
    while left(instance, "jobs") or left(instance, "line.fifo"):
        assert time.monotonic() < deadline, (left(instance, "jobs"), left(instance, "line.fifo"))
    # And what is handled stays so.
    instance.kill()
    instance = launch(data)
    seen = f"{instance.endpoint}/{ACCOUNT}/seen"
    count = left(instance, "seen")
    told = [json.loads(one) for one in receive(instance, seen, lambda bodies: len(bodies) >= count, seconds=60)]
    wait = min(20, VISIBILITY_SECS + 1)
    later = instance.client("sqs").receive_message(QueueUrl=seen, WaitTimeSeconds=wait).get("Messages", [])
    assert not later, "what was deleted came back"

    told.sort(key=lambda batch: batch["begun"])
    handled = [record["body"] for batch in told for record in batch["event"]["Records"]]
    asked = {body for body in load.sent if json.loads(body)["queue"] != "plain"}
    lost = asked - set(handled)
    assert not lost, f"{len(lost)} acknowledged messages were never handled, such as {sorted(lost)[:3]}"
    wishes = [json.loads(body) for body in handled]
    for group in GROUPS:
        own = [wish["n"] for wish in wishes if wish.get("group") == group]
        first = list(dict.fromkeys(own))
        assert first == sorted(first), f"group {group} was overtaken: {own}"
    plain = {body for body in load.sent if json.loads(body)["queue"] == "plain"}
    remaining = set()
    while got := instance.client("sqs").receive_message(
            QueueUrl=f"{instance.endpoint}/{ACCOUNT}/plain", MaxNumberOfMessages=10, WaitTimeSeconds=2,
            VisibilityTimeout=600).get("Messages", []):
        remaining |= {message["Body"] for message in got}
    assert not remaining & load.deleted, "deleted messages are back"
    print(f"{len(load.sent)} sends ({len(asked)} to mappings), {len(told)} batches, {len(handled)} handled, "
          f"{len(handled) - len(set(handled))} more than once; {len(plain - remaining)} consumed")
    instance.stop()
    fsck(data)
