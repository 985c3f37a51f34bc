"""What tests of event source mappings share: queues, roles, and a function that tells what it was given."""

import json
import time
import uuid

import pytest
from conftest import ACCOUNT, REGION
from test_lambda import RUNTIME, SIGNED, TRUST, package

# Tells a queue of each batch before it answers; obeys what the bodies ask for. Sandboxes share the host's clock.
TELLS = SIGNED + '''
import json, os, time

def tell(what):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    body = json.dumps({"QueueUrl": os.environ["SEEN"], "MessageBody": json.dumps(what)}).encode()
    status, answer = call("sqs", "POST", "/", body, headers)
    assert status == 200, answer

def handle(event, context):
    begun = time.monotonic()
    wishes = [json.loads(record["body"]) for record in event["Records"]]
    time.sleep(max(wish.get("sleep", 0) for wish in wishes))
    tell({"event": event, "begun": begun, "ended": time.monotonic()})
    if any(wish.get("raise") for wish in wishes):
        raise ValueError("as it was told")
    failed = [record["messageId"] for record, wish in zip(event["Records"], wishes) if wish.get("fail")]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
'''
# How long a test waits for what must come.
PATIENCE = 30


def queue_arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def allow(aws, role, *actions):
    """Gives a role its only policy."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="only", PolicyDocument=document)


def make_role(aws, *actions):
    """A role that Lambda may assume, and that may do that: its name and ARN."""
    name = f"mapping-{uuid.uuid4().hex[:8]}"
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    if actions:
        allow(aws, name, *actions)
    return name, role["Arn"]


def make_queue(aws, name, **attributes):
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if name.endswith(".fifo") else {}
    return aws.client("sqs").create_queue(QueueName=name, Attributes={**fifo, **attributes})["QueueUrl"]


def make_function(aws, name, role, seen=None, source=TELLS, **arguments):
    variables = {"SEEN": f"/{ACCOUNT}/{seen}"} if seen else {}
    request = {
        "FunctionName": name, "Runtime": RUNTIME, "Role": role, "Handler": "handler.handle",
        "Code": {"ZipFile": package(source)}, "Environment": {"Variables": variables}, **arguments,
    }
    return aws.client("lambda").create_function(**request)


def settled(aws, mapping):
    """The mapping once its change has taken effect; nothing if it is gone then."""
    client = aws.client("lambda")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            found = client.get_event_source_mapping(UUID=mapping)
        except client.exceptions.ResourceNotFoundException:
            return None
        if found["State"] in ("Enabled", "Disabled"):
            found.pop("ResponseMetadata")
            return found
    raise AssertionError(f"still {found['State']}")


def receive(aws, queue, enough, seconds=PATIENCE):
    """Receives and deletes until `enough` of all messages is true: their bodies."""
    sqs, bodies = aws.client("sqs"), []
    deadline = time.monotonic() + seconds
    while not enough(bodies):
        assert time.monotonic() < deadline, f"only {len(bodies)} messages came: {bodies[-3:]}"
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
    return bodies


class World:
    """A queue, a function that is mapped to it, and a queue that the function tells of what it was given."""

    def __init__(self, aws, name, fifo=False, attributes=None, function=None, **mapping):
        self.aws, self.name = aws, name
        self.queue_name = f"{name}.fifo" if fifo else name
        self.queue = make_queue(aws, self.queue_name, **(attributes or {}))
        self.seen = make_queue(aws, f"{name}-seen")
        _, role = make_role(aws, "sqs:*")
        make_function(aws, name, role, f"{name}-seen", **(function or {}))
        made = aws.client("lambda").create_event_source_mapping(
            EventSourceArn=queue_arn(self.queue_name), FunctionName=name, **mapping)
        self.mapping = made["UUID"]
        assert settled(aws, self.mapping)["State"] == ("Enabled" if mapping.get("Enabled", True) else "Disabled")

    def send(self, *wishes, group=None, **arguments):
        fifo = {"MessageGroupId": group} if group else {}
        sqs = self.aws.client("sqs")
        for wish in wishes:
            sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(wish), **fifo, **arguments)

    def batches(self, enough):
        """What the function tells, until `enough` of all that it was given is true."""
        told = receive(self.aws, self.seen, lambda bodies: enough(wishes_of(map(json.loads, bodies))))
        return [json.loads(one) for one in told]

    def update(self, **changes):
        answer = self.aws.client("lambda").update_event_source_mapping(UUID=self.mapping, **changes)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return settled(self.aws, self.mapping)

    def left(self):
        """How many messages the queue has, visible or in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    def empty(self):
        """Waits until every message was deleted."""
        deadline = time.monotonic() + PATIENCE
        while self.left():
            assert time.monotonic() < deadline, f"{self.left()} messages are left"

    def close(self):
        try:
            self.aws.client("lambda").delete_event_source_mapping(UUID=self.mapping)
        except self.aws.client("lambda").exceptions.ClientError:
            pass


def wishes_of(batches):
    """All bodies of all batches, in their order."""
    return [json.loads(record["body"]) for batch in batches for record in batch["event"]["Records"]]


@pytest.fixture
def world(aws, name):
    """Makes worlds, whose mappings end with the test."""
    made = []

    def make(**arguments):
        made.append(World(aws, f"{name}-{len(made)}", **arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()
