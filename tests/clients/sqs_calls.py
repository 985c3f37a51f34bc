"""What the tests of SQS share: refusals field by field, and the query protocol by hand."""

import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

ACCOUNT = "000000000000"
MISSING = ("AWS.SimpleQueueService.NonExistentQueue", 400, "The specified queue does not exist.")


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


def refused_by_query(aws, **parameters):
    """The code, status and message of the refusal that a request of the query protocol must meet."""
    status, text = by_query(aws, **parameters)
    error = ElementTree.fromstring(re.sub(' xmlns="[^"]*"', "", text)).find("Error")
    assert error is not None, text
    assert error.findtext("Type") == "Sender", text
    return error.findtext("Code"), status, error.findtext("Message")


def arn(name, account=ACCOUNT, region="us-east-1"):
    return f"arn:aws:sqs:{region}:{account}:{name}"


def counts(sqs, queue):
    """How many messages are visible, in flight and delayed."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return tuple(int(attributes[name]) for name in names)


def drain(sqs, queue, wait=0):
    """Receives and deletes until there is nothing more; the messages."""
    received = []
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait, MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        received += messages
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return received
