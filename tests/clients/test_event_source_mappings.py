"""Event source mappings for SQS: five operations field by field, and what a mapping does with real functions."""

import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError
from conftest import ACCOUNT
from lambda_functions import arn, refused, text
from mapping_calls import World, allow, make_function, make_queue, make_role, queue_arn, receive, settled, wishes_of, world  # noqa: F401
from test_lambda import package

ABSENT = "00000000-0000-4000-8000-000000000000"
GONE = "The resource you requested does not exist."
REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}

# The batch handler that people copy: what fails is reported, and only that.
NODE = """
const processMessage = async (message) => {
  if (message.bad) throw new Error(`cannot process ${message.id}`);
};

export const process = async (event) => {
  const results = await Promise.allSettled(
    event.Records.map(record => processMessage(JSON.parse(record.body)))
  );
  const failures = results
    .map((r, i) => r.status === 'rejected' ? event.Records[i].messageId : null)
    .filter(Boolean);
  return {
    batchItemFailures: failures.map(id => ({ itemIdentifier: id }))
  };
};
"""


def test_a_mapping_is_shown_changed_tagged_and_deleted(aws, name):
    client = aws.client("lambda")
    make_queue(aws, name)
    _, role = make_role(aws, "sqs:*")
    make_function(aws, name, role)
    made = client.create_event_source_mapping(
        EventSourceArn=queue_arn(name), FunctionName=arn(name), Enabled=False, BatchSize=20,
        MaximumBatchingWindowInSeconds=3, ScalingConfig={"MaximumConcurrency": 7},
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}, Tags={"team": "a"}, **REPORTS)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    mapping = made["UUID"]
    mapping_arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{mapping}"
    expected = {
        "UUID": mapping, "BatchSize": 20, "MaximumBatchingWindowInSeconds": 3, "EventSourceArn": queue_arn(name),
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}, "FunctionArn": arn(name),
        "LastModified": made["LastModified"], "State": "Creating", "StateTransitionReason": "USER_INITIATED",
        "ScalingConfig": {"MaximumConcurrency": 7}, "EventSourceMappingArn": mapping_arn, **REPORTS,
    }
    assert made == expected
    assert settled(aws, mapping) == {**expected, "State": "Disabled"}

    changed = client.update_event_source_mapping(
        UUID=mapping, Enabled=True, BatchSize=5, MaximumBatchingWindowInSeconds=0, ScalingConfig={},
        FilterCriteria={}, FunctionResponseTypes=[])
    assert changed.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    expected = {
        "UUID": mapping, "BatchSize": 5, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": queue_arn(name),
        "FunctionArn": arn(name), "LastModified": changed["LastModified"], "State": "Enabling",
        "StateTransitionReason": "USER_INITIATED", "FunctionResponseTypes": [], "EventSourceMappingArn": mapping_arn,
    }
    assert changed == expected
    assert settled(aws, mapping) == {**expected, "State": "Enabled"}
    # Another function, by its alias.
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert client.update_event_source_mapping(UUID=mapping, FunctionName=f"{name}:live")["State"] == "Updating"
    assert settled(aws, mapping)["FunctionArn"] == arn(name, "live")

    assert client.list_tags(Resource=mapping_arn)["Tags"] == {"team": "a"}
    client.tag_resource(Resource=mapping_arn, Tags={"stage": "b"})
    client.untag_resource(Resource=mapping_arn, TagKeys=["team"])
    assert client.list_tags(Resource=mapping_arn)["Tags"] == {"stage": "b"}

    other = client.create_event_source_mapping(EventSourceArn=queue_arn(name), FunctionName=name)["UUID"]
    listed = lambda **wish: {one["UUID"] for page in client.get_paginator("list_event_source_mappings").paginate(
        **wish, PaginationConfig={"PageSize": 1}) for one in page["EventSourceMappings"]}  # noqa: E731
    assert listed(EventSourceArn=queue_arn(name)) == {mapping, other} <= listed()
    assert listed(FunctionName=name) == {other}
    assert listed(FunctionName=f"{name}:live") == {mapping}
    settled(aws, other)
    for one in (mapping, other):
        deleted = client.delete_event_source_mapping(UUID=one)
        assert (deleted["ResponseMetadata"]["HTTPStatusCode"], deleted["State"]) == (202, "Deleting")
        assert settled(aws, one) is None
    assert listed(EventSourceArn=queue_arn(name)) == set()


def test_the_cli_makes_changes_lists_and_deletes(aws, name):
    make_queue(aws, name)
    _, role = make_role(aws, "sqs:*")
    make_function(aws, name, role)
    cli = lambda *words: json.loads(aws.cli("lambda", *words).stdout)  # noqa: E731
    made = cli("create-event-source-mapping", "--function-name", name, "--event-source-arn", queue_arn(name),
               "--batch-size", 3, "--scaling-config", "MaximumConcurrency=2",
               "--filter-criteria", json.dumps({"Filters": [{"Pattern": json.dumps({"body": ["x"]})}]}))
    mapping = made["UUID"]
    assert (made["State"], made["BatchSize"], made["ScalingConfig"]) == ("Creating", 3, {"MaximumConcurrency": 2})
    settled(aws, mapping)
    assert cli("update-event-source-mapping", "--uuid", mapping, "--no-enabled")["State"] == "Disabling"
    settled(aws, mapping)
    shown = cli("get-event-source-mapping", "--uuid", mapping)
    assert (shown["State"], shown["FunctionArn"]) == ("Disabled", arn(name))
    listed = cli("list-event-source-mappings", "--function-name", name)["EventSourceMappings"]
    assert [one["UUID"] for one in listed] == [mapping]
    assert cli("delete-event-source-mapping", "--uuid", mapping)["State"] == "Deleting"
    assert settled(aws, mapping) is None
    failed = aws.cli("lambda", "get-event-source-mapping", "--uuid", mapping, check=False)
    assert failed.returncode != 0 and GONE in failed.stderr


def test_what_cannot_be_is_refused(aws, name):
    client = aws.client("lambda")
    create, update = client.create_event_source_mapping, client.update_event_source_mapping
    make_queue(aws, name)
    make_queue(aws, f"{name}.fifo")
    role_name, role = make_role(aws)
    make_function(aws, name, role)
    usual = {"EventSourceArn": queue_arn(name), "FunctionName": name}
    invalid = ("InvalidParameterValueException", 400)
    # What the execution role may, in the order in which it is asked.
    for granted, lacks in (
        (["sqs:SendMessage"], "ReceiveMessage"),
        (["sqs:ReceiveMessage"], "DeleteMessage"),
        (["sqs:ReceiveMessage", "sqs:DeleteMessage"], "GetQueueAttributes"),
    ):
        allow(aws, role_name, *granted)
        text(*invalid, f"The provided execution role does not have permissions to call {lacks} on SQS", create, **usual)
    allow(aws, role_name, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    for message, change in (
        ("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10", {"BatchSize": 11}),
        ("Batching window is not supported for FIFO queues",
         {"EventSourceArn": queue_arn(f"{name}.fifo"), "MaximumBatchingWindowInSeconds": 1}),
        ("Unsupported StartingPosition parameter for given event source mapping type.", {"StartingPosition": "LATEST"}),
        ("Unsupported DestinationConfig parameter for given event source mapping type.",
         {"DestinationConfig": {"OnFailure": {"Destination": queue_arn(name)}}}),
        ("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
         "Message: The specified queue does not exist.", {"EventSourceArn": queue_arn(f"{name}-absent")}),
    ):
        text(*invalid, message, create, **{**usual, **change})
    for change in (
        {"EventSourceArn": queue_arn(f"{name}.fifo"), "BatchSize": 11},
        {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
        {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "plain"}'}]}},
        {"FilterCriteria": {"Filters": [{"Pattern": '{"body": ["a"]}'}] * 6}},
        {"EventSourceArn": "arn:aws:sns:us-east-1:000000000000:topic"},
        {"EventSourceArn": queue_arn(name).replace("us-east-1", "eu-west-1")},
    ):
        refused(*invalid, create, **{**usual, **change})
    # Bounds that the model holds.
    unchecked = aws.client("lambda", parameter_validation=False).create_event_source_mapping
    refused("ValidationException", 400, unchecked, **usual, BatchSize=10_001)
    refused("ValidationException", 400, unchecked, **usual, ScalingConfig={"MaximumConcurrency": 1})
    unsupported = refused("NotImplementedException", 501, create, FunctionName=name, StartingPosition="LATEST",
                          EventSourceArn="arn:aws:kinesis:us-east-1:000000000000:stream/clicks")
    assert "Kinesis" in unsupported["Error"]["Message"]
    client.update_function_configuration(FunctionName=name, Timeout=31)
    text(*invalid, "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds", create, **usual)
    client.update_function_configuration(FunctionName=name, Timeout=3)
    missing = ("ResourceNotFoundException", 404)
    text(*missing, f"Function not found: {arn(name)}-absent", create, **{**usual, "FunctionName": f"{name}-absent"})
    text(*missing, f"Function not found: {arn(name)}-absent", client.list_event_source_mappings, FunctionName=f"{name}-absent")
    for call in (client.get_event_source_mapping, client.delete_event_source_mapping, update):
        answer = text(*missing, GONE, call, UUID=ABSENT)
        assert answer["Type"] == "User"

    mapping = create(**usual)["UUID"]
    settled(aws, mapping)
    text("ResourceConflictException", 409,
         f'An event source mapping with SQS arn (" {queue_arn(name)} ") and function (" {name} ") already exists. Please '
         f"update or delete the existing mapping with UUID {mapping}", create, **usual)
    refused(*invalid, update, UUID=mapping, BatchSize=11)

    # A change before the last one has taken effect.
    def change(size):
        try:
            return aws.client("lambda").update_event_source_mapping(UUID=mapping, BatchSize=size)["State"]
        except ClientError as error:
            return error.response

    with ThreadPoolExecutor(8) as pool:
        answers = [one for _ in range(10) for one in pool.map(change, range(1, 9))]
    early = [one for one in answers if one != "Updating"]
    assert early, "no two changes ever met"
    for one in early:
        assert one["Error"]["Code"] == "ResourceInUseException"
        assert one["Error"]["Message"] == "Cannot update the event source mapping because it is in use."
        assert one["ResponseMetadata"]["HTTPStatusCode"] == 400
    settled(aws, mapping)
    client.delete_event_source_mapping(UUID=mapping)


def test_policies_decide_by_the_function(aws, name):
    """`lambda:FunctionArn` tells policies which function a mapping is of."""
    make_queue(aws, name)
    _, role = make_role(aws, "sqs:*")
    make_function(aws, name, role)
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    deployer = iam.create_role(RoleName=f"{name}-d", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [trust]}))["Role"]["Arn"]
    statement = {
        "Effect": "Allow", "Action": ["lambda:CreateEventSourceMapping", "lambda:GetEventSourceMapping"], "Resource": "*",
        "Condition": {"StringEquals": {"lambda:FunctionArn": arn(name)}},
    }
    iam.put_role_policy(RoleName=f"{name}-d", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [statement]}))
    keys = aws.client("sts").assume_role(RoleArn=deployer, RoleSessionName="deployer")["Credentials"]
    client = aws.client("lambda", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    mapping = client.create_event_source_mapping(EventSourceArn=queue_arn(name), FunctionName=name)["UUID"]
    assert client.get_event_source_mapping(UUID=mapping)["UUID"] == mapping
    denied = ("AccessDeniedException", 403)
    refused(*denied, client.create_event_source_mapping, EventSourceArn=queue_arn(name), FunctionName=f"{name}-2")
    refused(*denied, client.delete_event_source_mapping, UUID=mapping)
    refused(*denied, client.get_event_source_mapping, UUID=ABSENT)
    settled(aws, mapping)
    aws.client("lambda").delete_event_source_mapping(UUID=mapping)


def test_a_message_arrives_with_every_member(aws, world):  # noqa: F811
    one = world()
    attributes = {
        "kind": {"DataType": "String", "StringValue": "é"},
        "size": {"DataType": "Number", "StringValue": "7.5"},
        "raw": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    sent = aws.client("sqs").send_message(QueueUrl=one.queue, MessageBody='{"a": "ü"}', MessageAttributes=attributes)
    (batch,) = one.batches(lambda wishes: len(wishes) == 1)
    (record,) = batch["event"]["Records"]
    own = record["attributes"]
    assert set(own) == {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
    assert own["ApproximateReceiveCount"] == "1"
    assert abs(int(own["SentTimestamp"]) / 1_000 - time.time()) < 60
    assert int(own["ApproximateFirstReceiveTimestamp"]) >= int(own["SentTimestamp"])
    lists = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": sent["MessageId"], "receiptHandle": record["receiptHandle"], "body": '{"a": "ü"}',
        "attributes": own, "md5OfBody": hashlib.md5('{"a": "ü"}'.encode()).hexdigest(),
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"], "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(one.queue_name), "awsRegion": "us-east-1",
        "messageAttributes": {
            "kind": {"stringValue": "é", "dataType": "String", **lists},
            "size": {"stringValue": "7.5", "dataType": "Number", **lists},
            "raw": {"binaryValue": base64.b64encode(b"\x00\xff").decode(), "dataType": "Binary.png", **lists},
        },
    }
    one.empty()
    fifo = world(fifo=True)
    sent = aws.client("sqs").send_message(QueueUrl=fifo.queue, MessageBody="{}", MessageGroupId="g")
    (batch,) = fifo.batches(lambda wishes: len(wishes) == 1)
    record = batch["event"]["Records"][0]
    own = record["attributes"]
    assert own["MessageGroupId"] == "g" and own["SequenceNumber"] == sent["SequenceNumber"]
    assert own["MessageDeduplicationId"] == hashlib.sha256(b"{}").hexdigest()
    assert record["messageAttributes"] == {} and "md5OfMessageAttributes" not in record


def test_the_node_batch_handler_leaves_its_failures_to_the_dead_letter_queue(aws, name):
    dead = make_queue(aws, f"{name}-dead")
    redrive = json.dumps({"deadLetterTargetArn": queue_arn(f"{name}-dead"), "maxReceiveCount": 2})
    queue = make_queue(aws, name, VisibilityTimeout="1", RedrivePolicy=redrive)
    _, role = make_role(aws, "sqs:*")
    client = aws.client("lambda")
    client.create_function(FunctionName=name, Runtime="nodejs20.x", Role=role, Handler="handler.process", Timeout=1,
                           Code={"ZipFile": package(files={"handler.mjs": NODE})})
    mapping = client.create_event_source_mapping(EventSourceArn=queue_arn(name), FunctionName=name, **REPORTS)["UUID"]
    settled(aws, mapping)
    bodies = [json.dumps({"id": number, "bad": number % 3 == 0}) for number in range(10)]
    entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies)]
    assert len(aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 10
    bad = sorted(bodies[0::3])
    found = receive(aws, dead, lambda got: len(got) >= len(bad))
    assert sorted(found) == bad, "each failed message once, and no other"
    counts = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    client.delete_event_source_mapping(UUID=mapping)


def test_what_fails_comes_again_and_what_filters_leave_out_never_comes(aws, world):  # noqa: F811
    one = world(attributes={"VisibilityTimeout": "1"}, function={"Timeout": 1},
                FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]})
    one.send({"kind": "offer", "n": 1}, {"kind": "order", "n": 2}, {"n": 3}, {"kind": "order", "n": 4, "raise": True})
    numbers = lambda wishes: sorted(wish["n"] for wish in wishes)  # noqa: E731
    told = wishes_of(one.batches(lambda wishes: numbers(wishes).count(4) >= 3 and 2 in numbers(wishes)))
    assert {wish["kind"] for wish in told} == {"order"}
    shown = aws.client("lambda").get_event_source_mapping(UUID=one.mapping)
    assert shown["LastProcessingResult"] == "PROBLEM: Function call failed"
    # Without the filter that one comes, too.
    one.update(FilterCriteria={})
    one.send({"kind": "offer", "n": 5})
    one.batches(lambda wishes: 5 in numbers(wishes))


def test_it_is_disabled_enabled_and_changed_while_it_runs(aws, world):  # noqa: F811
    one = world(BatchSize=1)
    one.send({"n": 0})
    one.batches(lambda wishes: len(wishes) == 1)
    assert one.update(Enabled=False)["State"] == "Disabled"
    one.send(*({"n": number} for number in range(1, 6)))
    got = aws.client("sqs").receive_message(QueueUrl=one.seen, WaitTimeSeconds=1).get("Messages", [])
    assert not got and one.left() == 5, "nothing is handled while it is disabled"
    assert one.update(Enabled=True, BatchSize=100, MaximumBatchingWindowInSeconds=1)["State"] == "Enabled"
    batches = one.batches(lambda wishes: len(wishes) == 5)
    assert len(batches) == 1, "the window gathers them"
    assert sorted(wish["n"] for wish in wishes_of(batches)) == [1, 2, 3, 4, 5]
    one.empty()


def test_no_more_than_the_maximum_at_once(world):  # noqa: F811
    one = world(BatchSize=1, ScalingConfig={"MaximumConcurrency": 3})
    one.send(*({"n": number, "sleep": 0.2} for number in range(30)))
    batches = one.batches(lambda wishes: len(wishes) == 30)
    under_way = [sum(other["begun"] <= batch["begun"] < other["ended"] for other in batches) for batch in batches]
    assert max(under_way) == 3


def test_groups_keep_their_order_and_stop_at_a_failure(world):  # noqa: F811
    one = world(fifo=True, attributes={"VisibilityTimeout": "1"}, function={"Timeout": 1}, BatchSize=4, **REPORTS)
    groups = ["a", "b", "c"]
    for number in range(12):
        for group in groups:
            one.send({"group": group, "n": number}, group=group)
    batches = one.batches(lambda wishes: len(wishes) >= 36)
    batches.sort(key=lambda batch: batch["begun"])
    for group in groups:
        numbers = [wish["n"] for wish in wishes_of(batches) if wish["group"] == group]
        assert numbers == list(range(12)), group
        own = [batch for batch in batches if any(wish["group"] == group for wish in wishes_of([batch]))]
        assert all(first["ended"] <= second["begun"] for first, second in zip(own, own[1:])), "two batches of a group"
    one.empty()
    # The failed message holds up its group, until it is done; another group goes on.
    one.update(BatchSize=1)
    one.send({"group": "a", "n": 100, "fail": True}, {"group": "a", "n": 101}, group="a")
    one.send({"group": "b", "n": 102}, group="b")
    told = [wish["n"] for wish in wishes_of(one.batches(
        lambda wishes: 102 in [wish["n"] for wish in wishes] and [wish["n"] for wish in wishes].count(100) >= 3))]
    assert 101 not in told


def test_a_role_that_may_no_longer_is_told_and_may_again(aws, name):
    queue = make_queue(aws, name)
    seen = make_queue(aws, f"{name}-seen")
    role_name, role = make_role(aws, "sqs:*")
    make_function(aws, name, role, f"{name}-seen")
    client = aws.client("lambda")
    mapping = client.create_event_source_mapping(EventSourceArn=queue_arn(name), FunctionName=name)["UUID"]
    settled(aws, mapping)
    allow(aws, role_name, "sqs:SendMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    # The poll under way was allowed; the next one is not.
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    receive(aws, seen, lambda bodies: len(bodies) == 1)
    problem = "PROBLEM: The provided execution role does not have permissions to call ReceiveMessage on SQS"
    deadline = time.monotonic() + 30
    while client.get_event_source_mapping(UUID=mapping).get("LastProcessingResult") != problem:
        assert time.monotonic() < deadline
    allow(aws, role_name, "sqs:*")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    receive(aws, seen, lambda bodies: len(bodies) == 1)
    client.delete_event_source_mapping(UUID=mapping)
