"""SQS through boto3, over both of its protocols: every operation's success and its errors, field by field."""

import hashlib
import json
import threading
import time
import urllib.parse
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

ACCOUNT = "000000000000"


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


def refused(call, **arguments):
    """The code, status and message of the refusal that the call must meet."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def by_query(aws, path="/", **parameters):
    """Sends a request of the query protocol, as older SDKs do; returns status and text."""
    parameters = {"Version": "2012-11-05", **parameters}
    request = AWSRequest(
        "POST", aws.endpoint + path, data=urllib.parse.urlencode(parameters),
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
    response = URLLib3Session().send(request.prepare())
    return response.status_code, response.text


def test_a_queue_is_made_once_and_found_by_its_name(aws, sqs, name):
    made = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert made == f"{aws.endpoint}/{ACCOUNT}/{name}"
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == made
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == made
    assert sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == made
    code, status, message = refused(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "5"})
    assert (code, status) == ("QueueAlreadyExists", 400)
    assert message == "A queue already exists with the same name and a different value for attribute DelaySeconds"


def test_queues_of_other_regions_and_accounts_are_others(aws, sqs, queue, name):
    missing = ("AWS.SimpleQueueService.NonExistentQueue", 400, "The specified queue does not exist.")
    assert refused(aws.client("sqs", region="eu-west-1").get_queue_url, QueueName=name) == missing
    assert refused(aws.client("sqs", access_key="111122223333").get_queue_url, QueueName=name) == missing
    assert refused(sqs.get_queue_url, QueueName=name + "x") == missing
    assert refused(sqs.send_message, QueueUrl=queue + "x", MessageBody="x") == missing
    assert refused(sqs.receive_message, QueueUrl=queue + "x") == missing


def test_what_a_queue_may_not_be(sqs, name):
    form = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    for bad in ("a b", "a.b", "x" * 81, "ä"):
        assert refused(sqs.create_queue, QueueName=bad) == ("InvalidParameterValue", 400, form), bad
    for attribute, value in (("DelaySeconds", "901"), ("VisibilityTimeout", "-1"), ("MaximumMessageSize", "x")):
        code, status, message = refused(sqs.create_queue, QueueName=name, Attributes={attribute: value})
        assert (code, status) == ("InvalidAttributeValue", 400)
        assert message == f"Invalid value for the parameter {attribute}."
    code, status, message = refused(sqs.create_queue, QueueName=name, Attributes={"Colour": "red"})
    assert (code, status, message) == ("InvalidAttributeName", 400, "Unknown Attribute Colour.")
    for arguments, what in (
        ({"QueueName": name + ".fifo", "Attributes": {"FifoQueue": "true"}}, "FIFO queues"),
        ({"QueueName": name, "Attributes": {"RedrivePolicy": "{}"}}, "RedrivePolicy"),
        ({"QueueName": name, "tags": {"a": "b"}}, "queue tags"),
    ):
        code, status, message = refused(sqs.create_queue, **arguments)
        assert (code, status) == ("NotImplemented", 501) and what in message, message


def test_queues_are_listed_by_prefix_and_in_pages(aws, sqs, name):
    urls = [sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"] for number in range(5)]
    assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name + "-none")
    assert "QueueUrls" not in aws.client("sqs", region="eu-west-3").list_queues(QueueNamePrefix=name)
    pages = list(sqs.get_paginator("list_queues").paginate(QueueNamePrefix=name, MaxResults=2))
    assert [url for page in pages for url in page.get("QueueUrls", [])] == urls
    code, status, _ = refused(sqs.list_queues, MaxResults=1001)
    assert (code, status) == ("InvalidParameterValue", 400)
    code, status, _ = refused(sqs.list_queues, NextToken="a/b", MaxResults=5)
    assert (code, status) == ("InvalidParameterValue", 400)


def test_a_message_travels_whole(sqs, queue):
    attributes = {
        "EventType": {"DataType": "String", "StringValue": "signup"},
        "count": {"DataType": "Number", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    body = "grüße 🐦 <&> \"quoted\"\n\ttab"
    # botocore checks both digests of the send and of the receive.
    sent = sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
    [message] = sqs.receive_message(
        QueueUrl=queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == body
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    system = message["Attributes"]
    assert system["ApproximateReceiveCount"] == "1" and system["SenderId"] == ACCOUNT
    assert int(system["SentTimestamp"]) <= int(system["ApproximateFirstReceiveTimestamp"])
    assert sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    # Again: the handle is of a message that is gone, which is no error.
    assert sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_attributes_are_chosen_by_name_and_prefix(sqs, queue):
    value = {"DataType": "String", "StringValue": "x"}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"a.one": value, "a.two": value, "b": value})

    def receive(names):
        [message] = sqs.receive_message(
            QueueUrl=queue, VisibilityTimeout=0, MessageAttributeNames=names)["Messages"]
        return sorted(message.get("MessageAttributes", {}))

    assert receive([]) == []
    assert receive(["b"]) == ["b"]
    assert receive(["a.*"]) == ["a.one", "a.two"]
    assert receive([".*"]) == receive(["All"]) == ["a.one", "a.two", "b"]


def test_what_a_message_may_not_be(sqs, queue):
    code, status, message = refused(sqs.send_message, QueueUrl=queue, MessageBody="a\x00b")
    assert (code, status) == ("InvalidMessageContents", 400)
    code, status, message = refused(sqs.send_message, QueueUrl=queue, MessageBody="x" * 1_048_577)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert message == "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."
    assert sqs.send_message(QueueUrl=queue, MessageBody="x" * 1_048_576)
    code, status, message = refused(sqs.send_message, QueueUrl=queue, MessageBody="x", DelaySeconds=901)
    assert (code, status) == ("InvalidParameterValue", 400) and "DelaySeconds" in message
    for attributes in (
        {"AWS.x": {"DataType": "String", "StringValue": "x"}},
        {"x": {"DataType": "Text", "StringValue": "x"}},
        {"x": {"DataType": "Number", "StringValue": "seven"}},
        {f"a{i}": {"DataType": "String", "StringValue": "x"} for i in range(11)},
    ):
        code, status, _ = refused(sqs.send_message, QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
        assert (code, status) == ("InvalidParameterValue", 400), attributes


def test_what_a_receiver_may_not_ask(sqs, queue):
    for arguments, parameter, low, high in (
        ({"MaxNumberOfMessages": 11}, "MaxNumberOfMessages", 1, 10),
        ({"MaxNumberOfMessages": 0}, "MaxNumberOfMessages", 1, 10),
        ({"WaitTimeSeconds": 21}, "WaitTimeSeconds", 0, 20),
        ({"VisibilityTimeout": 43201}, "VisibilityTimeout", 0, 43200),
    ):
        value = next(iter(arguments.values()))
        expected = f"Value {value} for parameter {parameter} is invalid. Reason: Must be between {low} and {high}, if provided."
        assert refused(sqs.receive_message, QueueUrl=queue, **arguments) == ("InvalidParameterValue", 400, expected)
    code, status, message = refused(sqs.delete_message, QueueUrl=queue, ReceiptHandle="nonsense")
    assert (code, status) == ("ReceiptHandleIsInvalid", 400)
    assert message == 'The input receipt handle "nonsense" is not a valid receipt handle.'


def test_a_received_message_is_hidden_and_only_the_latest_handle_deletes_it(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [first] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    [second] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1)["Messages"]
    assert second["MessageId"] == first["MessageId"] and second["ReceiptHandle"] != first["ReceiptHandle"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    # Not deleted: it comes back when its second is over, which a long poll waits for.
    [third] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert third["MessageId"] == first["MessageId"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=third["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)


def test_a_long_poll_ends_when_a_message_arrives(aws, sqs, queue):
    received = []

    def wait():
        received.append(aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20))

    waiters = [threading.Thread(target=wait) for _ in range(5)]
    begun = time.monotonic()
    for waiter in waiters:
        waiter.start()
    for number in range(5):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    for waiter in waiters:
        waiter.join()
    bodies = sorted(message["Body"] for answer in received for message in answer["Messages"])
    assert bodies == ["0", "1", "2", "3", "4"]
    # A bound against polls that only end with their twenty seconds, not a measurement.
    assert time.monotonic() - begun < 19


def test_a_delayed_message_comes_later(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "later"


def test_older_sdks_speak_the_query_protocol(aws, name):
    status, text = by_query(aws, Action="CreateQueue", QueueName=name,
                            **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "0"})
    assert status == 200 and f"<QueueUrl>{aws.endpoint}/{ACCOUNT}/{name}</QueueUrl>" in text, text
    status, text = by_query(aws, f"/{ACCOUNT}/{name}", Action="SendMessage", MessageBody="a<b",
                            QueueUrl=f"{aws.endpoint}/{ACCOUNT}/{name}",
                            **{"MessageAttribute.1.Name": "n", "MessageAttribute.1.Value.DataType": "Number",
                               "MessageAttribute.1.Value.StringValue": "1"})
    assert status == 200 and "<MD5OfMessageAttributes>" in text, text
    status, text = by_query(aws, Action="ReceiveMessage", QueueUrl=f"{aws.endpoint}/{ACCOUNT}/{name}",
                            **{"AttributeName.1": "All", "MessageAttributeName.1": "All"})
    assert status == 200 and "<Body>a&lt;b</Body>" in text, text
    assert "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>" in text, text
    assert "<MessageAttribute><Name>n</Name>" in text, text
    status, text = by_query(aws, Action="GetQueueUrl", QueueName="nobody-made-it")
    assert status == 400 and "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text, text
    status, text = by_query(aws, Action="Frobnicate")
    assert status == 400 and "<Code>InvalidAction</Code>" in text, text
    status, text = by_query(aws, Action="PurgeQueue", QueueUrl="x")
    assert status == 501 and "sqs:PurgeQueue" in text, text


def test_malformed_bodies_are_refused(aws, queue):
    def send(data, target="AmazonSQS.SendMessage"):
        request = AWSRequest("POST", aws.endpoint, data=data, headers={
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target})
        SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
        response = URLLib3Session().send(request.prepare())
        return response.status_code, json.loads(response.text)["__type"].split("#")[-1]

    for body in ("", "{", "[]", '"x"', '{"QueueUrl": 7, "MessageBody": "x"}', '{"QueueUrl": "x"} trailing',
                 '{"QueueUrl": {"a": 1}}', "\x00", "[" * 10_000):
        status, kind = send(body)
        assert status == 400 and kind in ("SerializationException", "MissingRequiredParameterException"), (body, kind)
    assert send("{}", "AmazonSQS.Frobnicate")[1] == "UnknownOperationException"


def test_the_cli_sends_and_receives(aws, queue):
    sent = json.loads(aws.cli("sqs", "send-message", "--queue-url", queue, "--message-body", "by hand").stdout)
    got = json.loads(aws.cli("sqs", "receive-message", "--queue-url", queue).stdout)
    assert got["Messages"][0]["MessageId"] == sent["MessageId"]
    aws.cli("sqs", "delete-message", "--queue-url", queue, "--receipt-handle", got["Messages"][0]["ReceiptHandle"])
    assert aws.cli("sqs", "receive-message", "--queue-url", queue).stdout == ""
