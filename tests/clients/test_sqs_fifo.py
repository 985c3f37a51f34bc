"""SQS's FIFO queues through boto3: order, groups, deduplication, and what only they are asked."""

import json

import pytest
from sqs_calls import arn, by_query, counts, drain, refused, refused_by_query


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def queue(sqs, name):
    given = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return sqs.create_queue(QueueName=name + ".fifo", Attributes=given)["QueueUrl"]


def send(sqs, queue, body, group="g", **arguments):
    return sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=group, **arguments)


def receive(sqs, queue, count=10, **arguments):
    return sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=count, MessageSystemAttributeNames=["All"], **arguments).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def delete(sqs, queue, message):
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_a_group_keeps_its_order_and_is_locked_while_one_is_in_flight(sqs, queue):
    sent = [send(sqs, queue, body, group)["SequenceNumber"]
            for body, group in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("b2", "b"))]
    assert sent == sorted(sent) and all(len(number) == 20 and number.isdigit() for number in sent)
    first, second = receive(sqs, queue, 2)
    assert bodies([first, second]) == ["a1", "a2"]
    system = first["Attributes"]
    assert (system["MessageGroupId"], system["SequenceNumber"]) == ("a", sent[0])
    assert len(system["MessageDeduplicationId"]) == 64
    # The group is locked: only the other one gives, as much as is wanted.
    assert bodies(receive(sqs, queue)) == ["b1", "b2"]
    assert receive(sqs, queue) == []
    delete(sqs, queue, first)
    assert receive(sqs, queue) == []
    # The second comes back, and before the third.
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    again, third = receive(sqs, queue)
    assert bodies([again, third]) == ["a2", "a3"] and again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert counts(sqs, queue) == (0, 4, 0)


def test_the_end_of_a_timeout_unlocks_a_group_for_who_waits(sqs, queue):
    send(sqs, queue, "one")
    send(sqs, queue, "two")
    assert bodies(receive(sqs, queue, 1, VisibilityTimeout=1)) == ["one"]
    assert bodies(receive(sqs, queue, WaitTimeSeconds=20)) == ["one", "two"]


def test_duplicates_are_answered_with_the_first(sqs, queue, name):
    first = send(sqs, queue, "same")
    again = send(sqs, queue, "same")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    other = send(sqs, queue, "same", MessageDeduplicationId="other")
    assert other["MessageId"] != first["MessageId"]
    # A duplicate is one even when the first has been deleted, and in another group.
    assert bodies(drain(sqs, queue)) == ["same", "same"]
    assert send(sqs, queue, "same", group="h")["MessageId"] == first["MessageId"]
    assert drain(sqs, queue) == []
    batch = [{"Id": str(at), "MessageBody": "twice", "MessageGroupId": "g"} for at in range(2)]
    ids = {one["MessageId"] for one in sqs.send_message_batch(QueueUrl=queue, Entries=batch)["Successful"]}
    assert len(ids) == 1 and bodies(drain(sqs, queue)) == ["twice"]


def test_duplicates_may_be_those_of_a_group_only(sqs, name):
    given = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    queue = sqs.create_queue(QueueName=name + ".fifo", Attributes=given)["QueueUrl"]
    ids = [send(sqs, queue, "x", group, MessageDeduplicationId="d")["MessageId"] for group in ("a", "b", "a")]
    assert ids[0] == ids[2] != ids[1]
    got = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert {key: got[key] for key in given} == given and got["ContentBasedDeduplication"] == "false"


def test_an_attempt_is_answered_with_the_same_messages(sqs, queue):
    for body in "abc":
        send(sqs, queue, body)
    asked = {"ReceiveRequestAttemptId": "attempt-1"}
    first = receive(sqs, queue, 2, **asked)
    again = receive(sqs, queue, 2, **asked)
    assert bodies(first) == ["a", "b"]
    assert [message["ReceiptHandle"] for message in again] == [message["ReceiptHandle"] for message in first]
    assert receive(sqs, queue, 2, ReceiveRequestAttemptId="attempt-2") == []
    delete(sqs, queue, first[0])
    delete(sqs, queue, first[1])
    assert bodies(receive(sqs, queue, 2, **asked)) == ["c"]


def test_a_handle_that_is_over_deletes_nothing(aws, sqs, queue):
    send(sqs, queue, "x")
    [message] = receive(sqs, queue, VisibilityTimeout=0)
    handle = message["ReceiptHandle"]
    expected = ("InvalidParameterValue", 400,
                f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
    assert refused(sqs.delete_message, QueueUrl=queue, ReceiptHandle=handle) == expected
    assert refused_by_query(aws, Action="DeleteMessage", QueueUrl=queue, ReceiptHandle=handle) == expected
    assert bodies(drain(sqs, queue)) == ["x"]


def test_what_a_fifo_queue_may_not_be_asked(aws, sqs, queue, name):
    value = "InvalidParameterValue"
    wrong_type = "Reason: The request include parameter that is not valid for this queue type."
    assert refused(sqs.send_message, QueueUrl=queue, MessageBody="x") == (
        "MissingParameter", 400, "The request must contain the parameter MessageGroupId.")
    assert refused_by_query(aws, Action="SendMessage", QueueUrl=queue, MessageBody="x") == (
        "MissingParameter", 400, "The request must contain the parameter MessageGroupId.")
    assert refused(send, sqs=sqs, queue=queue, body="x", DelaySeconds=5) == (
        value, 400, "Value 5 for parameter DelaySeconds is invalid. " + wrong_type)
    for group in ("a b", "x" * 129):
        code, status, message = refused(send, sqs=sqs, queue=queue, body="x", group=group)
        assert (code, status) == (value, 400)
        assert message.endswith("MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"ContentBasedDeduplication": "false"})
    assert refused(send, sqs=sqs, queue=queue, body="x") == (
        value, 400, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
    code, status, message = refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"FifoQueue": "false"})
    assert (code, status) == (value, 400) and message.endswith("Modifying queue type is not supported.")
    for arguments in ({"QueueName": name + ".fifo2"}, {"QueueName": name}):
        code, status, message = refused(sqs.create_queue, **arguments, Attributes={"FifoQueue": "true"})
        assert (code, status) == (value, 400) and "must end with .fifo suffix" in message
    assert refused(sqs.create_queue, QueueName=name + "-b.fifo")[:2] == (value, 400)
    given = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    code, status, message = refused(sqs.create_queue, QueueName=name + "-c.fifo", Attributes=given)
    assert (code, status) == (value, 400) and "FifoThroughputLimit" in message


def test_a_standard_queue_has_none_of_it(sqs, name):
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    for call, arguments, shown in (
        (sqs.send_message, {"MessageBody": "x", "MessageDeduplicationId": "d"}, "d for parameter MessageDeduplicationId"),
        (sqs.receive_message, {"ReceiveRequestAttemptId": "r"}, "r for parameter ReceiveRequestAttemptId"),
    ):
        assert refused(call, QueueUrl=queue, **arguments) == (
            "InvalidParameterValue", 400,
            f"Value {shown} is invalid. Reason: The request include parameter that is not valid for this queue type.")
    # A group is told on, and locks nothing.
    for body in "ab":
        assert "SequenceNumber" not in send(sqs, queue, body)
    [first] = receive(sqs, queue, 1)
    [second] = receive(sqs, queue, 1)
    assert first["Attributes"]["MessageGroupId"] == second["Attributes"]["MessageGroupId"] == "g"


def test_a_dead_letter_makes_way_for_its_group(sqs, queue, name):
    dead = sqs.create_queue(QueueName=name + "-dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    policy = {"deadLetterTargetArn": arn(name + "-dead.fifo"), "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    for body in ("poison", "next"):
        send(sqs, queue, body)
    assert bodies(receive(sqs, queue, 1, VisibilityTimeout=0)) == ["poison"]
    assert bodies(receive(sqs, queue, 1)) == ["next"]
    [message] = receive(sqs, dead, WaitTimeSeconds=20)
    assert message["Body"] == "poison" and message["Attributes"]["MessageGroupId"] == "g"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(name + ".fifo")
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


def test_older_sdks_speak_to_fifo_queues_too(aws, name):
    status, text = by_query(aws, Action="CreateQueue", QueueName=name + ".fifo",
                            **{"Attribute.1.Name": "FifoQueue", "Attribute.1.Value": "true"})
    assert status == 200, text
    queue = f"{aws.endpoint}/000000000000/{name}.fifo"
    status, text = by_query(aws, Action="SendMessage", QueueUrl=queue, MessageBody="x", MessageGroupId="g",
                            MessageDeduplicationId="d")
    assert status == 200 and "<SequenceNumber>1" in text, text
    status, text = by_query(aws, Action="ReceiveMessage", QueueUrl=queue, **{"AttributeName.1": "All"})
    assert status == 200 and "<Name>MessageGroupId</Name><Value>g</Value>" in text, text
