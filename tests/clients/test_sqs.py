"""SQS through boto3, over both of its protocols: every operation's success and its errors, field by field."""

import hashlib
import json
import queue as queues
import threading
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from sqs_calls import ACCOUNT, MISSING, arn, by_query, counts, refused, refused_by_query


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


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
    key = {"KmsMasterKeyId": "alias/aws/sqs"}
    code, status, message = refused(sqs.create_queue, QueueName=name, Attributes=key)
    assert (code, status) == ("NotImplemented", 501) and "KmsMasterKeyId" in message, message


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


def test_parameters_of_the_query_protocol_are_heard_or_refused(aws, sqs, name):
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]

    def timeout():
        return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"]

    # As the oldest SDKs write it: one part needs no number.
    one = {"Attribute.Name": "VisibilityTimeout", "Attribute.Value": "71"}
    assert by_query(aws, Action="SetQueueAttributes", QueueUrl=queue, **one)[0] == 200 and timeout() == "71"
    status, text = by_query(aws, Action="GetQueueAttributes", QueueUrl=queue, AttributeName="VisibilityTimeout", Other="unknown")
    assert status == 200 and "<Value>71</Value>" in text
    for wrong, message in [
        ({"Attribute.1.Name": "VisibilityTimeout", "Attribute.Value": "72"}, "Start of list found where not expected: "),
        ({"Attribute.member.1.Name": "VisibilityTimeout", "Attribute.member.1.Value": "72"}, "An entry of Attribute lacks its Name."),
        ({"Attribute.0.Name": "VisibilityTimeout", "Attribute.0.Value": "72"}, "0 is not a valid index: "),
        ({"Attribute": "VisibilityTimeout"}, "An entry of Attribute lacks its Name."),
        ({**one, "QueueUrl.1": queue}, "Start of list found where not expected: QueueUrl has no parts."),
    ]:
        code, status, told = refused_by_query(aws, Action="SetQueueAttributes", QueueUrl=queue, **wrong)
        assert (code, status) == ("MalformedInput", 400) and told.startswith(message), (wrong, told)
    assert timeout() == "71"
    # This is recorded of AWS, whose sentence ends before the colon.
    code, status, told = refused_by_query(aws, Action="ReceiveMessage", QueueUrl=queue, **{"MessageAttributeNames.member.1": "All"})
    assert (code, status) == ("MalformedInput", 400) and told.startswith("Start of list found where not expected: "), told



def test_queue_urls_of_every_form_lead_to_the_queue(aws, sqs, queue, name):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x")["MessageId"]
    for url in (
        queue, queue + "/", f"/{ACCOUNT}/{name}", name, f"http://localhost:{aws.port}/{ACCOUNT}/{name}",
        f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}", f"https://queue.amazonaws.com/{ACCOUNT}/{name}",
        f"{aws.endpoint}/{name}", f"{aws.endpoint}/queue/us-east-1/{ACCOUNT}/{name}", arn(name),
    ):
        [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        assert message["MessageId"] == sent, url
    for url in (aws.endpoint + "/", f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name}"):
        message = f"The address {url} is not valid for this endpoint."
        assert refused(sqs.receive_message, QueueUrl=url) == ("InvalidAddress", 400, message)
        assert refused_by_query(aws, Action="ReceiveMessage", QueueUrl=url) == ("InvalidAddress", 404, message)


def entries(*bodies, **members):
    return [{"Id": str(at), "MessageBody": body, **members} for at, body in enumerate(bodies)]


def test_a_batch_succeeds_and_fails_entry_by_entry(sqs, queue):
    value = {"k": {"DataType": "String", "StringValue": "v"}}
    batch = [
        {"Id": "plain", "MessageBody": "one"},
        {"Id": "attributes", "MessageBody": "two", "MessageAttributes": value},
        {"Id": "traced", "MessageBody": "three",
         "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}},
        {"Id": "broken", "MessageBody": "\x00"},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
    ]
    sent = sqs.send_message_batch(QueueUrl=queue, Entries=batch)
    assert [one["Id"] for one in sent["Successful"]] == ["plain", "attributes", "traced"]
    assert sent["Successful"][0]["MD5OfMessageBody"] == hashlib.md5(b"one").hexdigest()
    assert "MD5OfMessageAttributes" in sent["Successful"][1] and "MD5OfMessageSystemAttributes" in sent["Successful"][2]
    failed = {one["Id"]: one for one in sent["Failed"]}
    assert failed["broken"]["Code"] == "InvalidMessageContents" and failed["broken"]["SenderFault"] is True
    assert failed["late"] == {
        "Id": "late", "SenderFault": True, "Code": "InvalidParameterValue",
        "Message": "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."}
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["AWSTraceHeader"])
    messages = got["Messages"]
    assert [message["Body"] for message in messages] == ["one", "two", "three"]
    assert messages[2]["Attributes"] == {"AWSTraceHeader": "Root=1"}
    handles = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)]
    nonsense = {"Id": "nonsense", "ReceiptHandle": "nonsense"}
    changed = sqs.change_message_visibility_batch(
        QueueUrl=queue, Entries=[{**handles[0], "VisibilityTimeout": 0}, {**handles[1], "VisibilityTimeout": 43_201},
                                 {**nonsense, "VisibilityTimeout": 1}])
    assert changed["Successful"] == [{"Id": "0"}]
    assert {one["Id"]: one["Code"] for one in changed["Failed"]} == {
        "1": "InvalidParameterValue", "nonsense": "ReceiptHandleIsInvalid"}
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["one"]
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=[*handles[1:], nonsense])
    assert deleted["Successful"] == [{"Id": "1"}, {"Id": "2"}]
    assert deleted["Failed"] == [{
        "Id": "nonsense", "SenderFault": True, "Code": "ReceiptHandleIsInvalid",
        "Message": 'The input receipt handle "nonsense" is not a valid receipt handle.'}]


def test_a_batch_is_refused_as_a_whole(aws, sqs, queue):
    def send(batch):
        return refused(sqs.send_message_batch, QueueUrl=queue, Entries=batch)

    prefix = "AWS.SimpleQueueService."
    for call, entry in (
        (sqs.send_message_batch, "SendMessageBatchRequestEntry"),
        (sqs.delete_message_batch, "DeleteMessageBatchRequestEntry"),
        (sqs.change_message_visibility_batch, "ChangeMessageVisibilityBatchRequestEntry"),
    ):
        message = f"There should be at least one {entry} in the request."
        assert refused(call, QueueUrl=queue, Entries=[]) == (prefix + "EmptyBatchRequest", 400, message)
    message = "Maximum number of entries per request are 10. You have sent 11."
    assert send(entries(*"abcdefghijk")) == (prefix + "TooManyEntriesInBatchRequest", 400, message)
    same = [{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]
    assert send(same) == (prefix + "BatchEntryIdsNotDistinct", 400, "Id a repeated.")
    message = ("A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
               "It can be at most 80 letters long.")
    assert send([{"Id": "a b", "MessageBody": "x"}]) == (prefix + "InvalidBatchEntryId", 400, message)
    message = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
    assert send(entries("x" * 1_048_576, "y")) == (prefix + "BatchRequestTooLong", 400, message)
    assert refused(sqs.send_message_batch, QueueUrl=queue + "x", Entries=entries("x")) == MISSING
    assert refused_by_query(aws, Action="SendMessageBatch", QueueUrl=queue)[:2] == ("MissingParameter", 400)
    parameters = {"Action": "SendMessageBatch", "QueueUrl": queue}
    for at in (1, 2):
        parameters |= {f"SendMessageBatchRequestEntry.{at}.Id": "a", f"SendMessageBatchRequestEntry.{at}.MessageBody": "x"}
    assert refused_by_query(aws, **parameters) == (prefix + "BatchEntryIdsNotDistinct", 400, "Id a repeated.")
    parameters["SendMessageBatchRequestEntry.2.Id"] = "b"
    status, text = by_query(aws, **parameters)
    assert status == 200 and text.count("<SendMessageBatchResultEntry>") == 2, text


def test_visibility_is_changed_while_a_message_is_in_flight(aws, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [message] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)["Messages"]
    handle = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=300)
    assert counts(sqs, queue) == (0, 1, 0)
    code, status, message = refused(
        sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=43_200)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert message == ("Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
                       "message is beyond the limit [43200 seconds]")
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    assert counts(sqs, queue) == (1, 0, 0)
    expected = ("AWS.SimpleQueueService.MessageNotInflight", 400, "The specified message isn't in flight.")
    assert refused(sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1) == expected
    assert refused_by_query(aws, Action="ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle,
                            VisibilityTimeout="1") == expected
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    code, status, message = refused(
        sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert message.endswith("Message does not exist or is not available for visibility timeout change.")
    code, status, _ = refused(sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle="x", VisibilityTimeout=1)
    assert (code, status) == ("ReceiptHandleIsInvalid", 400)
    code, status, _ = refused_by_query(
        aws, Action="ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle="x", VisibilityTimeout="1")
    assert (code, status) == ("ReceiptHandleIsInvalid", 404)


def test_handles_of_another_queue_are_refused(sqs, queue, name):
    other = sqs.create_queue(QueueName=name + "-other")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    handle = message["ReceiptHandle"]
    expected = ("ReceiptHandleIsInvalid", 400, f'The input receipt handle "{handle}" is not a valid receipt handle.')
    assert refused(sqs.delete_message, QueueUrl=other, ReceiptHandle=handle) == expected


def test_the_event_processor_publishes_polls_and_deletes(aws, sqs, queue):
    """Events with their type as an attribute, consumers on polls of twenty seconds, each event handled and deleted."""
    events = [(kind, number) for number in range(6) for kind in ("created", "updated")]
    handled = queues.Queue()

    def publish(kind, number):
        sqs.send_message(
            QueueUrl=queue, MessageBody=json.dumps({"type": kind, "number": number}),
            MessageAttributes={"EventType": {"DataType": "String", "StringValue": kind}})

    def consume():
        client = aws.client("sqs")
        while True:
            got = client.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageAttributeNames=["EventType"])
            for message in got.get("Messages", []):
                event = json.loads(message["Body"])
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                if event["type"] == "end":
                    return
                assert message["MessageAttributes"]["EventType"]["StringValue"] == event["type"]
                handled.put((event["type"], event["number"]))

    consumers = [threading.Thread(target=consume, daemon=True) for _ in range(3)]
    for consumer in consumers:
        consumer.start()
    for kind, number in events:
        publish(kind, number)
    assert sorted(handled.get(timeout=60) for _ in events) == sorted(events)
    while any(consumer.is_alive() for consumer in consumers):
        publish("end", 0)
        consumers[0].join(timeout=0.2)
    # What nobody took is one of the ends: each event was handled once.
    assert handled.empty()


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
