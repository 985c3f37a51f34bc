"""SNS through boto3 and the AWS CLI: every operation's success and its errors, field by field, up to the queues."""

import base64
import contextlib
import email
import http.server
import json
import queue as queues
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import rsa
from botocore.exceptions import ClientError
from lambda_functions import create, role  # noqa: F401
from pyasn1.codec.der import decoder, encoder

ACCOUNT = "000000000000"
# Of nobody's but these tests, with its key, until 2056.
CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"


@pytest.fixture
def sns(aws):
    return aws.client("sns")


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def topic(sns, name):
    return sns.create_topic(Name=name)["TopicArn"]


def refused(call, **arguments):
    """The code, status and message that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"].get("Message")


def invalid(text):
    return "InvalidParameter", 400, "Invalid parameter: " + text


def make_queue(sqs, name, topic_arn=None, **attributes):
    """A queue that the topic may send to: its URL and its ARN."""
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    if topic_arn:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], arn


def receive(sqs, url, wait=10):
    got = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=wait, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    ).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return got


def test_a_topic_is_made_once_listed_and_deleted(sns, name):
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "birds"}, Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert sns.create_topic(Name=name, Attributes={"DisplayName": "birds"})["TopicArn"] == arn
    different = invalid("Attributes Reason: Topic already exists with different attributes")
    assert refused(sns.create_topic, Name=name, Attributes={"DisplayName": "fish"}) == different
    different = invalid("Tags Reason: Topic already exists with different tags")
    assert refused(sns.create_topic, Name=name, Tags=[{"Key": "team", "Value": "b"}]) == different
    listed = [one["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for one in page["Topics"]]
    assert arn in listed and len(listed) == len(set(listed))
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert refused(sns.get_topic_attributes, TopicArn=arn) == ("NotFound", 404, "Topic does not exist")
    assert refused(sns.publish, TopicArn=arn, Message="x") == ("NotFound", 404, "Topic does not exist")


def test_what_a_topic_may_not_be(sns, name):
    for bad in ("a b", "a.b", "x" * 257):
        assert refused(sns.create_topic, Name=bad) == invalid("Topic Name")
    code, status, message = refused(sns.create_topic, Name=name, Attributes={"FifoTopic": "true"})
    assert (code, status) == ("InvalidParameter", 400) and "must end with .fifo" in message
    assert refused(sns.create_topic, Name=name, Attributes={"Colour": "red"})[2] == "Invalid parameter: AttributeName"
    code, status, message = refused(sns.create_topic, Name=name, Attributes={"KmsMasterKeyId": "alias/aws/sns"})
    assert status == 501 and "KmsMasterKeyId" in message
    arn = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
    assert refused(sns.get_topic_attributes, TopicArn="nonsense") == ("InvalidParameter", 400, arn)


def test_attributes_of_a_topic(sns, topic):
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert shown["TopicArn"] == topic and shown["Owner"] == ACCOUNT and shown["DisplayName"] == ""
    assert (shown["SubscriptionsConfirmed"], shown["SubscriptionsPending"], shown["SubscriptionsDeleted"]) == ("0", "0", "0")
    retry = json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
    assert (retry["minDelayTarget"], retry["numRetries"], retry["backoffFunction"]) == (20, 3, "linear")
    assert json.loads(shown["Policy"])["Statement"][0]["Sid"] == "__default_statement_ID"
    for attribute, value in {"DisplayName": "birds", "SignatureVersion": "2", "TracingConfig": "PassThrough"}.items():
        sns.set_topic_attributes(TopicArn=topic, AttributeName=attribute, AttributeValue=value)
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"][attribute] == value
    assert refused(sns.set_topic_attributes, TopicArn=topic, AttributeName="Colour", AttributeValue="x") == invalid("AttributeName")
    assert refused(sns.set_topic_attributes, TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="3") == invalid(
        "SignatureVersion"
    )
    code, status, _ = refused(sns.set_topic_attributes, TopicArn=topic, AttributeName="Policy", AttributeValue="{}")
    assert (code, status) == ("InvalidParameter", 400)


def test_tags_of_a_topic(sns, topic):
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "team", "Value": "birds"}, {"Key": "x", "Value": ""}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["x", "y"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "team", "Value": "birds"}]
    missing = ("ResourceNotFound", 404, "Resource does not exist")
    for call, arguments in (
        (sns.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (sns.untag_resource, {"TagKeys": ["a"]}),
        (sns.list_tags_for_resource, {}),
    ):
        assert refused(call, ResourceArn=topic + "x", **arguments) == missing
    many = [{"Key": f"k{number}", "Value": "x"} for number in range(50)]
    code, status, message = refused(sns.tag_resource, ResourceArn=topic, Tags=many)
    assert (code, status) == ("TagLimitExceeded", 400) and "quota" in message


def test_permissions_let_other_accounts_in(aws, sns, topic):
    other = aws.client("sns", access_key="111122223333")
    code, status, _ = refused(other.publish, TopicArn=topic, Message="x")
    assert (code, status) == ("AccessDenied", 403)
    sns.add_permission(TopicArn=topic, Label="share", AWSAccountId=["111122223333"], ActionName=["Publish"])
    assert other.publish(TopicArn=topic, Message="x")["MessageId"]
    again = {"TopicArn": topic, "Label": "share", "AWSAccountId": ["111122223333"], "ActionName": ["Publish"]}
    assert refused(sns.add_permission, **again) == invalid("Statement already exists")
    sns.remove_permission(TopicArn=topic, Label="share")
    assert refused(sns.remove_permission, TopicArn=topic, Label="share")[:2] == ("NotFound", 404)
    assert refused(other.publish, TopicArn=topic, Message="x")[0] == "AccessDenied"


def test_a_queue_gets_what_is_published(sns, sqs, topic, name):
    url, arn = make_queue(sqs, name, topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    assert subscription.startswith(topic + ":")
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] == subscription
    different = refused(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    assert different == invalid("Attributes Reason: Subscription already exists with different attributes")
    attributes = {
        "color": {"DataType": "String", "StringValue": "red"},
        "size": {"DataType": "Number", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    published = sns.publish(TopicArn=topic, Subject="news", Message="hello", MessageAttributes=attributes)
    [message] = receive(sqs, url)
    document = json.loads(message["Body"])
    assert document["Type"] == "Notification" and document["MessageId"] == published["MessageId"]
    assert (document["TopicArn"], document["Subject"], document["Message"]) == (topic, "news", "hello")
    assert document["MessageAttributes"] == {
        "color": {"Type": "String", "Value": "red"},
        "size": {"Type": "Number", "Value": "7"},
        "raw": {"Type": "Binary", "Value": "AP8="},
    }
    assert document["Timestamp"].endswith("Z")
    assert message["Attributes"]["SenderId"]
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true")
    sns.publish(TargetArn=topic, Message="raw", MessageAttributes=attributes)
    [message] = receive(sqs, url)
    assert message["Body"] == "raw"
    assert message["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\xff"
    assert message["MessageAttributes"]["size"] == {"DataType": "Number", "StringValue": "7"}
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.unsubscribe(SubscriptionArn=subscription)
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["SubscriptionsConfirmed"], shown["SubscriptionsDeleted"]) == ("0", "1")


def test_attributes_and_lists_of_subscriptions(sns, sqs, topic, name):
    _, arn = make_queue(sqs, name)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    shown = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert shown == {
        "SubscriptionArn": subscription,
        "TopicArn": topic,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": arn,
        "ConfirmationWasAuthenticated": "true",
        "PendingConfirmation": "false",
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:root",
    }
    listed = {
        "SubscriptionArn": subscription,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": arn,
        "TopicArn": topic,
    }
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [listed]
    everywhere = [one for page in sns.get_paginator("list_subscriptions").paginate() for one in page["Subscriptions"]]
    assert listed in everywhere
    policy = json.dumps({"color": ["red", {"prefix": "bl"}]})
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue=policy)
    dead = json.dumps({"deadLetterTargetArn": arn})
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="RedrivePolicy", AttributeValue=dead)
    shown = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (shown["FilterPolicy"], shown["FilterPolicyScope"]) == (policy, "MessageAttributes")
    assert json.loads(shown["RedrivePolicy"]) == {"deadLetterTargetArn": arn}
    for attribute, value, reason in (
        ("FilterPolicy", '{"a": "b"}', 'FilterPolicy: "a" must be an object or an array'),
        ("FilterPolicy", '{"a": [{"like": 1}]}', "FilterPolicy: Unrecognized match type like (at a)"),
        ("FilterPolicy", json.dumps({k: [1] for k in "abcdef"}), "FilterPolicy: Filter policy can not have more than 5 keys"),
        ("FilterPolicy", json.dumps({"a": list(range(151))}), "FilterPolicy: Filter policy is too complex"),
        (
            "FilterPolicyScope",
            "Body",
            "FilterPolicyScope: Invalid value [Body]. Please use either MessageBody or MessageAttributes",
        ),
        ("RedrivePolicy", "{}", "RedrivePolicy: must contain deadLetterTargetArn and nothing else"),
        ("Colour", "red", "AttributeName"),
    ):
        answer = refused(
            sns.set_subscription_attributes, SubscriptionArn=subscription, AttributeName=attribute, AttributeValue=value
        )
        assert answer == invalid(reason)
    missing = ("NotFound", 404, "Subscription does not exist")
    other = subscription[:-1] + ("0" if subscription[-1] != "0" else "1")
    assert refused(sns.get_subscription_attributes, SubscriptionArn=other) == missing
    assert refused(sns.list_subscriptions_by_topic, TopicArn=topic + "x") == ("NotFound", 404, "Topic does not exist")


def test_what_a_subscription_may_not_be(sns, topic):
    for protocol, endpoint, reason in (
        ("pigeon", "x", "Amazon SNS does not support this protocol string: pigeon"),
        ("sqs", "http://x", "SQS endpoint ARN"),
        ("lambda", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "Lambda endpoint ARN"),
        ("http", "https://example.test", "Endpoint must match the specified protocol"),
        (
            "sqs",
            f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo",
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ),
    ):
        assert refused(sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint) == invalid(reason)
    for protocol, endpoint, reason in (
        ("https", "http://example.test", "Endpoint must match the specified protocol"),
        ("email", "bird", "Email address"),
        ("email-json", "bird", "Email address"),
        ("sms", "my number", "Invalid SMS endpoint: my number"),
    ):
        assert refused(sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint) == invalid(reason)
    for protocol in ("application", "firehose"):
        code, status, message = refused(sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint="x")
        assert status == 501 and protocol in message
    policy = {"FilterPolicy": '{"a": {"b": [1]}}'}
    reason = "Attributes Reason: FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy"
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    assert refused(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=policy) == invalid(reason)
    assert refused(sns.subscribe, TopicArn=topic + "x", Protocol="sqs", Endpoint=queue)[0] == "NotFound"


def test_what_a_message_may_not_be(sns, topic):
    for arguments, reason in (
        ({"Message": ""}, "Empty message"),
        ({"Message": "x" * 262_145}, "Message too long"),
        ({"Message": "x", "Subject": "a\nb"}, "Subject"),
        ({"Message": "x", "MessageStructure": "json"}, "Message Structure - JSON message body failed to parse"),
        ({"Message": "{}", "MessageStructure": "json"}, "Message Structure - No default entry in JSON message body"),
    ):
        assert refused(sns.publish, TopicArn=topic, **arguments) == invalid(reason)
    assert refused(sns.publish, Message="x") == invalid("TopicArn or TargetArn Reason: no value for required parameter")
    assert refused(sns.publish, PhoneNumber="me", Message="x") == invalid("PhoneNumber Reason: me is not valid to publish to")
    for value, message in (
        ({"DataType": "String", "StringValue": ""}, "must contain non-empty message attribute value"),
        ({"DataType": "Number", "StringValue": "x"}, "Could not cast message attribute 'a' value to number."),
        ({"DataType": "Text", "StringValue": "x"}, "has an invalid message attribute type"),
    ):
        code, status, said = refused(sns.publish, TopicArn=topic, Message="x", MessageAttributes={"a": value})
        assert (code, status) == ("ParameterValueInvalid", 400) and message in said


def test_filter_policies_with_every_operator(sns, sqs, topic, name):
    policies = {
        "exact": ('{"s": ["red", 7, true, null]}', {"red", "7"}),
        "prefix": ('{"s": [{"prefix": "re"}]}', {"red"}),
        "suffix": ('{"s": [{"suffix": "ed"}]}', {"red"}),
        "nocase": ('{"s": [{"equals-ignore-case": "RED"}]}', {"red"}),
        "wild": ('{"s": [{"wildcard": "b*e"}]}', {"blue"}),
        "but": ('{"s": [{"anything-but": ["red", "blue"]}]}', {"7", "10.0.0.9"}),
        "butpre": ('{"s": [{"anything-but": {"prefix": "re"}}]}', {"blue", "7", "10.0.0.9"}),
        "butsuf": ('{"s": [{"anything-but": {"suffix": "ue"}}]}', {"red", "7", "10.0.0.9"}),
        "butwild": ('{"s": [{"anything-but": {"wildcard": "*e*"}}]}', {"7", "10.0.0.9"}),
        "between": ('{"s": [{"numeric": ["=", 7]}]}', {"7"}),
        "numeric": ('{"s": [{"numeric": [">", 5, "<=", 7]}]}', {"7"}),
        "cidr": ('{"s": [{"cidr": "10.0.0.0/24"}]}', {"10.0.0.9"}),
        "exists": ('{"s": [{"exists": true}]}', {"red", "blue", "7", "10.0.0.9"}),
        "absent": ('{"s": [{"exists": false}]}', {"none"}),
        "or": ('{"$or": [{"s": ["red"]}, {"t": ["x"]}]}', {"red", "none"}),
    }
    urls = {}
    for kind, (policy, _) in policies.items():
        url, arn = make_queue(sqs, f"{name}-{kind}", topic)
        attributes = {"FilterPolicy": policy, "RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        urls[kind] = url
    for text, attributes in {
        "red": {"s": {"DataType": "String", "StringValue": "red"}},
        "blue": {"s": {"DataType": "String", "StringValue": "blue"}},
        "7": {"s": {"DataType": "Number", "StringValue": "7"}},
        "10.0.0.9": {"s": {"DataType": "String", "StringValue": "10.0.0.9"}},
        "none": {"t": {"DataType": "String.Array", "StringValue": '["w", "x"]'}},
    }.items():
        sns.publish(TopicArn=topic, Message=text, MessageAttributes=attributes)
    for kind, (_, expected) in policies.items():
        got = set()
        while len(got) < len(expected):
            more = receive(sqs, urls[kind])
            assert more, f"{kind}: {got} of {expected}"
            got |= {message["Body"] for message in more}
        assert got == expected, kind
        assert receive(sqs, urls[kind], wait=0) == [], kind


def test_filter_policies_over_the_body(sns, sqs, topic, name):
    bodies = {
        "nested": {"order": {"state": "paid", "total": 20}, "tags": ["a", "b"]},
        "other": {"order": {"state": "open", "total": None}, "tags": []},
        "flat": {"state": "paid", "ip": "10.0.0.9"},
    }
    policies = {
        "exact": ({"order": {"state": ["paid"]}}, {"nested"}),
        "number": ({"order": {"total": [{"numeric": [">=", 20, "<", 30]}]}}, {"nested"}),
        "null": ({"order": {"total": [None]}}, {"other"}),
        "array": ({"tags": ["b", "c"]}, {"nested"}),
        "both": ({"order": {"state": [{"anything-but": "open"}]}, "tags": [{"exists": True}]}, {"nested"}),
        "absent": ({"order": {"state": [{"exists": False}]}}, {"flat"}),
        "or": ({"$or": [{"ip": [{"cidr": "10.0.0.0/8"}]}, {"order": {"state": [{"prefix": "op"}]}}]}, {"flat", "other"}),
        "wild": ({"state": [{"wildcard": "p*d"}], "ip": [{"suffix": ".9"}]}, {"flat"}),
    }
    urls = {}
    for kind, (policy, _) in policies.items():
        urls[kind], arn = make_queue(sqs, f"{name}-{kind}", topic)
        attributes = {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy), "RawMessageDelivery": "true"}
        made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)["SubscriptionArn"]
        shown = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
        assert (shown["FilterPolicyScope"], json.loads(shown["FilterPolicy"])) == ("MessageBody", policy)
    sns.publish(TopicArn=topic, Message="no JSON at all")
    for kind, body in bodies.items():
        sns.publish(TopicArn=topic, Message=json.dumps({"kind": kind, **body}))
    for kind, (_, expected) in policies.items():
        got = set()
        while len(got) < len(expected):
            more = receive(sqs, urls[kind])
            assert more, f"{kind}: {got} of {expected}"
            got |= {json.loads(message["Body"])["kind"] for message in more}
        assert got == expected, kind
        assert receive(sqs, urls[kind], wait=0) == [], kind


def test_filter_policies_beyond_their_bounds_are_refused(sns, topic):
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    for policy in (
        "{",
        "[]",
        '{"a": "b"}',
        '{"a": []}',
        '{"a": [{"like": "b"}]}',
        '{"a": [{"numeric": ["~", 5]}]}',
        '{"a": [{"numeric": [">", 5000000000]}]}',
        '{"a": [{"cidr": "10.0.0.0/40"}]}',
        '{"a": [{"exists": "yes"}]}',
        json.dumps({f"k{number}": ["x"] for number in range(6)}),
        json.dumps({"a": [str(number) for number in range(151)]}),
        json.dumps({key: [str(number) for number in range(13)] for key in "abc"}),
    ):
        attributes = {"FilterPolicy": policy}
        code, status, message = refused(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        assert (code, status) == ("InvalidParameter", 400), policy
        assert message.startswith("Invalid parameter: Attributes Reason: FilterPolicy: "), message
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_batch_succeeds_and_fails_entry_by_entry(sns, sqs, topic, name):
    url, arn = make_queue(sqs, name, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    answer = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[{"Id": "a", "Message": "one"}, {"Id": "b", "Message": "x", "Subject": " "}],
    )
    assert [one["Id"] for one in answer["Successful"]] == ["a"] and answer["Successful"][0]["MessageId"]
    failed = {"Id": "b", "Code": "InvalidParameter", "Message": "Invalid parameter: Subject", "SenderFault": True}
    assert answer["Failed"] == [failed]
    assert [message["Body"] for message in receive(sqs, url)] == ["one"]
    entry = lambda number: {"Id": f"e{number}", "Message": "x"}  # noqa: E731
    for entries, code in (
        ([], "EmptyBatchRequest"),
        ([entry(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([entry(1), entry(1)], "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "x"}], "InvalidBatchEntryId"),
        ([{"Id": f"e{n}", "Message": "x" * 100_000} for n in range(3)], "BatchRequestTooLong"),
    ):
        assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)[:2] == (code, 400)


def test_a_fifo_topic_keeps_order_and_takes_a_message_once(sns, sqs, name):
    topic = sns.create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["FifoTopic"], shown["ContentBasedDeduplication"]) == ("true", "false")
    url, arn = make_queue(sqs, f"{name}.fifo", topic, FifoQueue="true")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    assert refused(sns.publish, TopicArn=topic, Message="x") == invalid(
        "The MessageGroupId parameter is required for FIFO topics"
    )
    assert refused(sns.publish, TopicArn=topic, Message="x", MessageGroupId="g") == invalid(
        "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )
    answers = [
        sns.publish(TopicArn=topic, Message=f"m{n}", MessageGroupId="g", MessageDeduplicationId=f"d{n}") for n in range(5)
    ]
    again = sns.publish(TopicArn=topic, Message="other", MessageGroupId="g", MessageDeduplicationId="d0")
    assert (again["MessageId"], again["SequenceNumber"]) == (answers[0]["MessageId"], answers[0]["SequenceNumber"])
    numbers = [answer["SequenceNumber"] for answer in answers]
    assert numbers == sorted(set(numbers)) and all(len(number) == 20 for number in numbers)
    got = []
    while len(got) < 5:
        more = receive(sqs, url)
        assert more, got
        got += more
    assert [message["Body"] for message in got] == [f"m{n}" for n in range(5)]
    assert {message["Attributes"]["MessageGroupId"] for message in got} == {"g"}
    code, _, message = refused(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint="http://example.test")
    assert code == "InvalidParameter" and "FIFO" in message


def verify(document, fields):
    """Verifies a document as its receivers do: with the certificate that it names. Raises if it is not genuine."""
    with urllib.request.urlopen(document.get("SigningCertURL") or document["SigningCertUrl"]) as answer:
        assert answer.status == 200
        certificate, _ = decoder.decode(ssl.PEM_cert_to_DER_cert(answer.read().decode()))
    key = rsa.PublicKey.load_pkcs1_openssl_der(encoder.encode(certificate[0][6]))
    signed = "".join(f"{field}\n{document[field]}\n" for field in sorted(fields) if document.get(field) is not None)
    algorithm = rsa.verify(signed.encode(), base64.b64decode(document["Signature"]), key)
    assert algorithm == {"1": "SHA-1", "2": "SHA-256"}[document["SignatureVersion"]]


NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@contextlib.contextmanager
def serve(certificate=None):
    """An HTTP server, or HTTPS, what is posted to it, and the answers that it gives before it takes anything."""
    posts, failures = queues.Queue(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            status = failures.pop() if failures else 200
            posts.put((status, {name.lower(): value for name, value in self.headers.items()}, body.decode()))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, posts, failures
    server.shutdown()


@pytest.fixture
def endpoint():
    """An HTTP endpoint of the test's own: where it is, what was posted to it, and the answers that it gives first."""
    with serve() as (server, posts, failures):
        yield f"http://127.0.0.1:{server.server_port}/hook", posts, failures


def test_an_endpoint_confirms_and_gets_notifications(sns, topic, endpoint):
    url, posts, failures = endpoint
    policy = json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 3}})
    made = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes={"DeliveryPolicy": policy})
    assert made["SubscriptionArn"] == "pending confirmation"
    _, headers, body = posts.get(timeout=20)
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert headers["x-amz-sns-topic-arn"] == topic
    question = json.loads(body)
    assert question["Type"] == "SubscriptionConfirmation" and question["TopicArn"] == topic
    verify(question, CONFIRMATION)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == "PendingConfirmation"
    assert refused(sns.confirm_subscription, TopicArn=topic, Token="guessed") == invalid("Token")
    # As a person does who follows the link: without credentials.
    with urllib.request.urlopen(question["SubscribeURL"]) as answer:
        assert answer.status == 200 and b"<SubscriptionArn>" + topic.encode() in answer.read()
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    shown = sns.get_subscription_attributes(SubscriptionArn=listed["SubscriptionArn"])["Attributes"]
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == ("false", "false")
    assert json.loads(shown["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["minDelayTarget"] == 1
    failures.append(503)
    published = sns.publish(TopicArn=topic, Message="hello")
    assert posts.get(timeout=20)[0] == 503
    status, headers, body = posts.get(timeout=20)
    assert status == 200 and headers["x-amz-sns-message-id"] == published["MessageId"]
    assert headers["x-amz-sns-subscription-arn"] == listed["SubscriptionArn"]
    notification = json.loads(body)
    assert notification["Message"] == "hello"
    verify(notification, NOTIFICATION)
    with pytest.raises(rsa.VerificationError):
        verify({**notification, "Message": "forged"}, NOTIFICATION)
    with urllib.request.urlopen(notification["UnsubscribeURL"]) as answer:
        assert answer.status == 200
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_broken_endpoint_beside_a_healthy_queue(sns, sqs, topic, name, endpoint):
    url, posts, failures = endpoint
    dead_url, dead = make_queue(sqs, name + "-dead", topic)
    healthy_url, healthy = make_queue(sqs, name, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=healthy, Attributes={"RawMessageDelivery": "true"})
    redrive = json.dumps({"deadLetterTargetArn": dead})
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes={"RedrivePolicy": redrive})
    token = json.loads(posts.get(timeout=20)[2])["Token"]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    assert arn.startswith(topic + ":")
    failures.append(403)
    sns.publish(TopicArn=topic, Message="hello")
    assert [message["Body"] for message in receive(sqs, healthy_url)] == ["hello"]
    [message] = receive(sqs, dead_url)
    assert json.loads(message["Body"])["Message"] == "hello"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "403"


def test_a_queue_without_a_policy_gets_nothing_and_what_it_missed_is_kept(sns, sqs, topic, name):
    url, arn = make_queue(sqs, name)
    dead_url, dead = make_queue(sqs, name + "-dead", topic)
    attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    sns.publish(TopicArn=topic, Message="hello")
    [message] = receive(sqs, dead_url)
    assert json.loads(message["Body"])["Message"] == "hello"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "AccessDenied"
    assert receive(sqs, url, wait=0) == []


def test_both_versions_of_signatures_verify(sns, sqs, topic, name):
    url, arn = make_queue(sqs, name, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for version in ("1", "2"):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
        sns.publish(TopicArn=topic, Message="hällo\nwörld", Subject="news")
        [message] = receive(sqs, url)
        document = json.loads(message["Body"])
        assert document["SignatureVersion"] == version
        verify(document, NOTIFICATION)
    other = document["SigningCertURL"].replace("SimpleNotificationService-", "SimpleNotificationService-x")
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(other)
    assert missing.value.code == 404


def outgoing(instance, count):
    """The letters that an instance keeps, once there are so many, oldest first."""
    folder = instance.data_dir / "outgoing"
    until = time.monotonic() + 20
    while True:
        names = sorted(folder.glob("*.eml")) + sorted(folder.glob("*.txt")) if folder.exists() else []
        if len(names) >= count or time.monotonic() > until:
            assert len(names) == count, names
            return sorted(names)
        time.sleep(0.05)


def test_mails_and_text_messages_are_kept_for_people(launch, name):
    instance = launch()
    sns = instance.client("sns")
    topic = sns.create_topic(Name=name, Attributes={"DisplayName": "Birds"})["TopicArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.test")["SubscriptionArn"] == "pending confirmation"
    [asked] = outgoing(instance, 1)
    assert asked.stat().st_mode & 0o777 == 0o600
    mail = email.message_from_bytes(asked.read_bytes())
    assert (mail["To"], mail["Subject"]) == ("a@example.test", "AWS Notification - Subscription Confirmation")
    link = next(word for word in mail.get_payload().split() if word.startswith("http://"))
    with urllib.request.urlopen(link) as answer:
        assert answer.status == 200
    text = sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+4915112345678")["SubscriptionArn"]
    assert text.startswith(topic + ":")
    document = sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="b@example.test", ReturnSubscriptionArn=True)
    token = json.loads(email.message_from_bytes(outgoing(instance, 2)[1].read_bytes()).get_payload())["Token"]
    assert sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"] == document["SubscriptionArn"]
    published = sns.publish(TopicArn=topic, Message="hello", Subject="news")
    letters = [letter.read_text() for letter in outgoing(instance, 5) if published["MessageId"] in letter.name]
    [plain] = [mail for mail in letters if "To: a@example.test" in mail]
    assert 'From: "Birds" <no-reply@sns.invalid>' in plain and "Subject: news\n" in plain and "\n\nhello\n" in plain
    [mail] = [mail for mail in letters if "To: b@example.test" in mail]
    assert json.loads(mail.split("\n\n", 1)[1])["Message"] == "hello"
    [short] = [mail for mail in letters if "To: +4915112345678" in mail]
    assert short.endswith("\n\nhello\n")
    alone = sns.publish(PhoneNumber="+4915187654321", Message="hi")["MessageId"]
    [short] = [letter for letter in outgoing(instance, 6) if alone in letter.name]
    assert short.name.endswith(".txt") and "To: +4915187654321" in short.read_text()
    # The link in a mail ends it.
    link = next(word for word in plain.split() if "Action=Unsubscribe" in word)
    with urllib.request.urlopen(link) as answer:
        assert answer.status == 200
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 2


@pytest.fixture
def certified():
    """An HTTPS endpoint of the test's own with a certificate that says it is localhost: where it is, and what came."""
    with serve(CERTIFICATE) as (server, posts, _):
        yield f"https://localhost:{server.server_port}/hook", posts


def test_endpoints_are_reached_over_tls_and_strangers_are_not(certified, launch, monkeypatch, name):
    url, posts = certified
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    instance = launch()
    sns, sqs = instance.client("sns"), instance.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=url)
    question = json.loads(posts.get(timeout=20)[2])
    sns.confirm_subscription(TopicArn=topic, Token=question["Token"])
    sns.publish(TopicArn=topic, Message="hello")
    assert json.loads(posts.get(timeout=20)[2])["Message"] == "hello"
    # Its name is not the one in the certificate: nothing is sent.
    stranger = sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=url.replace("localhost", "127.0.0.1"))
    assert stranger["SubscriptionArn"] == "pending confirmation"
    healthy_url, healthy = make_queue(sqs, name, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=healthy)
    sns.publish(TopicArn=topic, Message="again")
    assert len(receive(sqs, healthy_url)) == 1
    assert json.loads(posts.get(timeout=20)[2])["Message"] == "again" and posts.empty()


REMEMBERS = """
seen = []

def handle(event, context):
    if "Records" in event:
        seen.append(event)
    return seen
"""


def await_events(functions, name):
    """What the function remembers, once that is something."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        # Between two looks the topic has its turn.
        time.sleep(0.2)
        with contextlib.suppress(functions.exceptions.TooManyRequestsException):
            answer = functions.invoke(FunctionName=name, Payload=b"{}")
            if seen := json.loads(answer["Payload"].read()):
                return seen
    return []


def test_a_function_is_run_if_its_policy_names_the_topic(aws, create, sns, sqs, topic, name):
    functions = aws.client("lambda")
    function = create(REMEMBERS)["FunctionArn"]
    # In one environment, so that what it remembers is all.
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    dead_url, dead = make_queue(sqs, name + "-dead", topic)
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function, Attributes=redrive)["SubscriptionArn"]
    permission = {"FunctionName": name, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    # A permission for another topic, or another account, is none for this one.
    functions.add_permission(StatementId="other", SourceArn=topic + "x", **permission)
    functions.add_permission(StatementId="account", SourceArn=topic, SourceAccount="111122223333", **permission)
    sns.publish(TopicArn=topic, Message="refused")
    [message] = receive(sqs, dead_url)
    assert json.loads(message["Body"])["Records"][0]["Sns"]["Message"] == "refused"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "AccessDenied"
    functions.add_permission(StatementId="own", SourceArn=topic, SourceAccount=ACCOUNT, **permission)
    published = sns.publish(TopicArn=topic, Message="hello", Subject="news")
    [event] = await_events(functions, name)
    [record] = event["Records"]
    assert (record["EventSource"], record["EventVersion"], record["EventSubscriptionArn"]) == ("aws:sns", "1.0", subscription)
    assert (record["Sns"]["MessageId"], record["Sns"]["Subject"]) == (published["MessageId"], "news")
    assert (record["Sns"]["Message"], record["Sns"]["TopicArn"], record["Sns"]["MessageAttributes"]) == ("hello", topic, {})
    verify(record["Sns"], NOTIFICATION)


def test_other_accounts_subscribe_and_are_subscribed(aws, sns, topic, name):
    account = "111122223333"
    other, others_queues = aws.client("sns", access_key=account), aws.client("sqs", access_key=account)
    third = aws.client("sns", access_key="444455556666")
    arn = f"arn:aws:sqs:us-east-1:{account}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = others_queues.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    assert refused(other.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn)[0] == "AccessDenied"
    # The topic's owner subscribes another's queue: whoever reads that queue is asked.
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] == "pending confirmation"
    sns.publish(TopicArn=topic, Message="not yet")
    [question] = receive(others_queues, url)
    question = json.loads(question["Body"])
    verify(question, CONFIRMATION)
    confirmed = other.confirm_subscription(TopicArn=topic, Token=question["Token"], AuthenticateOnUnsubscribe="true")
    sns.publish(TopicArn=topic, Message="hello")
    [message] = receive(others_queues, url)
    assert json.loads(message["Body"])["Message"] == "hello"
    sns.unsubscribe(SubscriptionArn=confirmed["SubscriptionArn"])
    # Another account subscribes a queue of its own, and what it subscribed is its own.
    sns.add_permission(TopicArn=topic, Label="share", AWSAccountId=[account], ActionName=["Subscribe"])
    own = other.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    shown = other.get_subscription_attributes(SubscriptionArn=own)["Attributes"]
    assert (shown["Owner"], shown["SubscriptionPrincipal"]) == (account, f"arn:aws:iam::{account}:root")
    other.set_subscription_attributes(SubscriptionArn=own, AttributeName="RawMessageDelivery", AttributeValue="true")
    raw = {"AttributeName": "RawMessageDelivery", "AttributeValue": "false"}
    assert refused(third.get_subscription_attributes, SubscriptionArn=own)[0] == "AccessDenied"
    assert refused(third.set_subscription_attributes, SubscriptionArn=own, **raw)[0] == "AccessDenied"
    assert refused(third.unsubscribe, SubscriptionArn=own)[0] == "AccessDenied"
    sns.publish(TopicArn=topic, Message="raw")
    assert [message["Body"] for message in receive(others_queues, url)] == ["raw"]
    # Who has no credentials ends no queue's subscription.
    link = f"{aws.endpoint}/?Action=Unsubscribe&SubscriptionArn={own}"
    with pytest.raises(urllib.error.HTTPError) as denied:
        urllib.request.urlopen(link)
    assert denied.value.code == 403 and b"<Code>AuthorizationError</Code>" in denied.value.read()
    other.unsubscribe(SubscriptionArn=own)
    assert refused(other.get_subscription_attributes, SubscriptionArn=own)[0] in ("NotFound", "AccessDenied")
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_subscriptions_are_listed_in_pages(sns, topic, name):
    queues_of = [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-{number}" for number in range(105)]
    arns = {sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] for arn in queues_of}
    first = sns.list_subscriptions_by_topic(TopicArn=topic)
    assert len(first["Subscriptions"]) == 100
    rest = sns.list_subscriptions_by_topic(TopicArn=topic, NextToken=first["NextToken"])
    assert "NextToken" not in rest
    listed = first["Subscriptions"] + rest["Subscriptions"]
    assert {one["SubscriptionArn"] for one in listed} == arns and {one["Endpoint"] for one in listed} == set(queues_of)
    assert {(one["Owner"], one["Protocol"], one["TopicArn"]) for one in listed} == {(ACCOUNT, "sqs", topic)}
    everything = [one for page in sns.get_paginator("list_subscriptions").paginate() for one in page["Subscriptions"]]
    assert arns <= {one["SubscriptionArn"] for one in everything}
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["SubscriptionsConfirmed"], shown["SubscriptionsPending"]) == ("105", "0")
    for token in ("!", "x"):
        assert refused(sns.list_subscriptions, NextToken=token) == invalid("NextToken")


def test_quotas_hold(sns, topic, name):
    queue = lambda number: f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-{number}"  # noqa: E731
    policy = {"FilterPolicy": '{"a": ["b"]}'}
    for number in range(200):
        last = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue(number), Attributes=policy)["SubscriptionArn"]
    full = ("FilterPolicyLimitExceeded", 403, "Filter policy quota of 200 exceeded for the topic")
    another = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue(200)}
    assert refused(sns.subscribe, **another, Attributes=policy) == full
    plain = sns.subscribe(**another)["SubscriptionArn"]
    change = {"AttributeName": "FilterPolicy", "AttributeValue": policy["FilterPolicy"]}
    assert refused(sns.set_subscription_attributes, SubscriptionArn=plain, **change) == full
    sns.set_subscription_attributes(SubscriptionArn=last, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.set_subscription_attributes(SubscriptionArn=plain, **change)
    sns.unsubscribe(SubscriptionArn=plain)
    sns.subscribe(**another, Attributes=policy)
    fifo = sns.create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    for number in range(100):
        sns.subscribe(TopicArn=fifo, Protocol="sqs", Endpoint=queue(number))
    full = ("SubscriptionLimitExceeded", 403, "Subscription quota of 100 exceeded for the topic")
    assert refused(sns.subscribe, TopicArn=fifo, Protocol="sqs", Endpoint=queue(100)) == full


def test_there_are_only_so_many_fifo_topics(launch):
    sns = launch().client("sns")
    arns = [sns.create_topic(Name=f"t{number}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"] for number in range(1000)]
    one_more = {"Name": "more.fifo", "Attributes": {"FifoTopic": "true"}}
    full = ("TopicLimitExceeded", 403, "Topic quota of 1000 exceeded for the account")
    assert refused(sns.create_topic, **one_more) == full
    assert sns.create_topic(Name="t0.fifo", Attributes={"FifoTopic": "true"})["TopicArn"] == arns[0]
    assert sns.create_topic(Name="standard")["TopicArn"]
    sns.delete_topic(TopicArn=arns[0])
    assert sns.create_topic(**one_more)["TopicArn"]


def test_messages_survive_a_kill(launch, name):
    instance = launch()
    sns, sqs = instance.client("sns"), instance.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url, arn = make_queue(sqs, name, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for number in range(30):
        sns.publish(TopicArn=topic, Message=f"m{number}")
    instance.kill()
    again = launch(instance.data_dir)
    sqs, got = again.client("sqs"), set()
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    while len(got) < 30:
        more = receive(sqs, url)
        assert more, f"{len(got)} of 30"
        got |= {message["Body"] for message in more}
    assert got == {f"m{number}" for number in range(30)}


def test_the_cli_subscribes_and_publishes(aws, sqs, name):
    cli = lambda *arguments: json.loads(aws.cli("sns", *arguments, "--output", "json").stdout or "null")  # noqa: E731
    topic = cli("create-topic", "--name", name)["TopicArn"]
    url, arn = make_queue(sqs, name, topic)
    subscription = cli("subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)
    published = cli("publish", "--topic-arn", topic, "--message", "hello", "--subject", "news")
    [message] = receive(sqs, url)
    assert json.loads(message["Body"])["MessageId"] == published["MessageId"]
    attributes = cli("get-subscription-attributes", "--subscription-arn", subscription["SubscriptionArn"])
    assert attributes["Attributes"]["Endpoint"] == arn
    entries = '[{"Id": "a", "Message": "one"}, {"Id": "b", "Message": "x", "Subject": "\\n"}]'
    batch = cli("publish-batch", "--topic-arn", topic, "--publish-batch-request-entries", entries)
    assert [one["Id"] for one in batch["Successful"]] == ["a"] and [one["Id"] for one in batch["Failed"]] == ["b"]
    cli("set-topic-attributes", "--topic-arn", topic, "--attribute-name", "DisplayName", "--attribute-value", "birds")
    assert cli("get-topic-attributes", "--topic-arn", topic)["Attributes"]["DisplayName"] == "birds"
    cli("tag-resource", "--resource-arn", topic, "--tags", "Key=team,Value=a")
    assert cli("list-tags-for-resource", "--resource-arn", topic)["Tags"] == [{"Key": "team", "Value": "a"}]
    [listed] = cli("list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == subscription["SubscriptionArn"]
    cli("unsubscribe", "--subscription-arn", listed["SubscriptionArn"])
    failed = aws.cli("sns", "publish", "--topic-arn", topic + "x", "--message", "x", check=False)
    assert failed.returncode != 0 and "(NotFound) when calling the Publish operation: Topic does not exist" in failed.stderr


def test_operations_that_are_not_there_are_refused_by_name(sns):
    code, status, message = refused(sns.create_platform_application, Name="x", Platform="GCM", Attributes={"PlatformCredential": "x"})
    assert (code, status) == ("NotImplemented", 501) and "sns:CreatePlatformApplication" in message
