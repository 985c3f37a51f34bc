"""Who is refused at the door, in each protocol: status, code and message are AWS's."""

import contextlib
import datetime
import hashlib
import json
import re
import uuid
import xml.etree.ElementTree as ElementTree

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

REGION = "us-east-1"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}

# What each protocol sends: service, method, path, headers, body. None of them changes anything.
REQUESTS = {
    "sqs-json": ("sqs", "POST", "/", JSON, b"{}"),
    "sqs-query": ("sqs", "POST", "/", FORM, b"Action=ListQueues&Version=2012-11-05"),
    "sts": ("sts", "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "s3": ("s3", "PUT", "/no-such-bucket/key", {}, b"body"),
    "lambda": ("lambda", "POST", "/2015-03-31/functions/none/invocations", {}, b"{}"),
}
PROTOCOLS = list(REQUESTS)

MISMATCH = "The request signature we calculated does not match the signature you provided. "
INVALID_TOKEN = "The security token included in the request is invalid."
EXPIRED_TOKEN = "The security token included in the request is expired"
SIGNATURE_EXPIRED = r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - \d+ min\.\)"

# Temporary-looking, and of no session of anybody.
STRANGE_KEY = "ASIAQRSTUVWXYZ234567"


class Answer:
    """An error as its protocol wrote it."""

    def __init__(self, protocol, response):
        self.protocol = protocol
        self.status = response.status_code
        text = response.content.decode()
        if protocol in ("sqs-json", "lambda"):
            body = json.loads(text)
            self.type = (response.headers.get("x-amzn-errortype") or body.get("__type", "")).split("#")[-1].split(":")[0]
            # SDKs believe this header first, for services that once spoke the query protocol.
            query_error = response.headers.get("x-amzn-query-error")
            self.code = query_error.split(";")[0] if query_error else self.type
            self.message = body.get("message", body.get("Message"))
        else:
            root = ElementTree.fromstring(text)
            found = {element.tag.split("}")[-1]: element.text for element in root.iter()}
            self.code, self.message = found["Code"], found["Message"]
        self.text = text

    def __repr__(self):
        return f"{self.status} {self.text}"

    def facts(self):
        return (self.status, self.code)

    def is_signature_refused(self):
        """A wrong signature, in the words of the protocol."""
        code = "SignatureDoesNotMatch"
        if self.protocol in ("sqs-json", "lambda"):
            self.code, code = self.type, "InvalidSignatureException"
        return self.facts() == (403, code)


@contextlib.contextmanager
def clock(ago):
    """Lets botocore sign as if it were that long ago."""
    now = datetime.datetime.now(datetime.timezone.utc) - (ago or datetime.timedelta(0))
    original = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *_, **__: now.replace(tzinfo=None)
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = original


def ask(aws, protocol, access_key="test", secret="test", token=None, ago=None, sign=True, change=None, query=False, path=None):
    """Sends a protocol's request, signed as told, and changed after that; returns the refusal."""
    service, method, usual_path, headers, body = REQUESTS[protocol]
    request = AWSRequest(method, aws.endpoint + (path or usual_path), headers=dict(headers), data=b"" if query else body)
    if protocol == "s3" and not query:
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    if sign:
        credentials = Credentials(access_key, secret, token)
        if query:
            signer = S3SigV4QueryAuth(credentials, service, REGION, expires=60)
        else:
            signer = (S3SigV4Auth if protocol == "s3" else SigV4Auth)(credentials, service, REGION)
        with clock(ago):
            signer.add_auth(request)
    if change:
        change(request)
    return Answer(protocol, URLLib3Session().send(request.prepare()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_secret(aws, protocol):
    answer = ask(aws, protocol, secret="wrong")
    assert answer.is_signature_refused(), answer
    assert answer.message.startswith(MISMATCH), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("ago", [datetime.timedelta(minutes=30), datetime.timedelta(days=400)])
def test_a_request_signed_long_ago(aws, protocol, ago):
    answer = ask(aws, protocol, ago=ago)
    if protocol == "s3":
        assert answer.facts() == (403, "RequestTimeTooSkewed"), answer
        assert answer.message == "The difference between the request time and the current time is too large."
    else:
        assert answer.is_signature_refused(), answer
        assert re.fullmatch(SIGNATURE_EXPIRED, answer.message), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_signed_for_the_future(aws, protocol):
    answer = ask(aws, protocol, ago=datetime.timedelta(minutes=-30))
    if protocol == "s3":
        assert answer.facts() == (403, "RequestTimeTooSkewed"), answer
    else:
        assert answer.is_signature_refused(), answer
        assert answer.message.startswith("Signature not yet current: "), answer


# Error by protocol for credentials that belong to nobody.
UNKNOWN = {
    "sqs-json": (403, "InvalidClientTokenId", INVALID_TOKEN),
    "sqs-query": (403, "InvalidClientTokenId", INVALID_TOKEN),
    "sts": (403, "InvalidClientTokenId", INVALID_TOKEN),
    "s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "lambda": (403, "UnrecognizedClientException", INVALID_TOKEN),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("access_key", ["AKIAIOSFODNN7EXAMPLE", "12345678901", STRANGE_KEY])
def test_an_access_key_of_nobody(aws, protocol, access_key):
    answer = ask(aws, protocol, access_key=access_key)
    assert (*answer.facts(), answer.message) == UNKNOWN[protocol], answer


# A session token that this instance did not seal for that key.
FOREIGN = {**UNKNOWN, "s3": (400, "InvalidToken", "The provided token is malformed or otherwise invalid.")}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("token", ["forged", "A" * 400], ids=["short", "long"])
def test_a_forged_session_token(aws, protocol, token):
    answer = ask(aws, protocol, access_key=STRANGE_KEY, token=token)
    assert (*answer.facts(), answer.message) == FOREIGN[protocol], answer


@pytest.fixture(scope="module")
def session(aws):
    """Credentials of a role of this instance."""
    name = f"auth-{uuid.uuid4().hex[:8]}"
    trust = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}}
    trust["Version"] = "2012-10-17"
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    return aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="auth")["Credentials"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_session_without_its_token_or_with_a_changed_one(aws, protocol, session):
    key, secret, token = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    answer = ask(aws, protocol, access_key=key, secret=secret)
    assert (*answer.facts(), answer.message) == UNKNOWN[protocol], answer
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    answer = ask(aws, protocol, access_key=key, secret=secret, token=changed)
    assert (*answer.facts(), answer.message) == FOREIGN[protocol], answer
    answer = ask(aws, protocol, access_key=STRANGE_KEY, secret=secret, token=token)
    assert (*answer.facts(), answer.message) == FOREIGN[protocol], answer
    answer = ask(aws, protocol, access_key=key, secret="wrong", token=token)
    assert answer.is_signature_refused(), answer


def test_a_session_with_its_token_is_let_in(aws, session):
    client = aws.client("sts", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    assert client.get_caller_identity()["Arn"].endswith("/auth")


def test_a_root_key_with_a_token_is_refused(aws):
    answer = ask(aws, "sts", token="anything")
    assert (*answer.facts(), answer.message) == FOREIGN["sts"], answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_without_a_signature(aws, protocol):
    answer = ask(aws, protocol, sign=False)
    if protocol == "s3":
        assert (*answer.facts(), answer.message) == (403, "AccessDenied", "Access Denied"), answer
    else:
        codes = ("MissingAuthenticationToken", "MissingAuthenticationTokenException")
        assert answer.status == 403 and answer.code in codes, answer
        assert answer.message.endswith("issing Authentication Token"), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_malformed_authorization(aws, protocol):
    def replace(request):
        request.headers.replace_header("Authorization", "AWS4-HMAC-SHA256 Credential=test")

    answer = ask(aws, protocol, change=replace)
    if protocol == "s3":
        assert answer.facts() == (400, "AuthorizationHeaderMalformed"), answer
    else:
        codes = ("IncompleteSignature", "IncompleteSignatureException")
        assert answer.status in (400, 403) and answer.code in codes, answer
    if protocol == "s3":
        assert answer.message.startswith("The authorization header is malformed; "), answer
    else:
        assert "Authorization header requires 'Signature' parameter. " in answer.message, answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_body_changed_on_the_way(aws, protocol, name):
    def tamper(request):
        request.data = request.data.replace(b"body", b"BODY").replace(b"{}", b"{ }").replace(b"&Version", b"&&Version")

    path = None
    if protocol == "s3":
        # An object's body is read, and checked, once it is known where it goes.
        aws.client("s3").create_bucket(Bucket=name)
        path = f"/{name}/key"
    answer = ask(aws, protocol, change=tamper, path=path)
    if protocol == "s3":
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        assert (*answer.facts(), answer.message) == (400, "XAmzContentSHA256Mismatch", message), answer
    else:
        assert answer.is_signature_refused(), answer
        assert answer.message.startswith(MISMATCH), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_header_changed_on_the_way(aws, protocol):
    def tamper(request):
        date = request.headers["X-Amz-Date"]
        request.headers.replace_header("X-Amz-Date", date[:-2] + ("1" if date[-2] != "1" else "2") + "Z")

    answer = ask(aws, protocol, change=tamper)
    assert answer.is_signature_refused(), answer


def test_presigned_urls_end(aws):
    answer = ask(aws, "s3", query=True, ago=datetime.timedelta(seconds=90))
    assert (*answer.facts(), answer.message) == (403, "AccessDenied", "Request has expired"), answer
    answer = ask(aws, "s3", query=True, secret="wrong")
    assert answer.facts() == (403, "SignatureDoesNotMatch"), answer
    with clock(datetime.timedelta(minutes=20)):
        url = aws.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60)
    answer = Answer("sts", URLLib3Session().send(AWSRequest("GET", url).prepare()))
    assert answer.facts() == (403, "SignatureDoesNotMatch"), answer
    assert answer.message.startswith("Signature expired: "), answer


def test_a_signature_for_another_service_is_refused(aws):
    def retarget(request):
        request.headers["Authorization"] = request.headers["Authorization"].replace("/sts/", "/iam/")

    answer = ask(aws, "sts", change=retarget)
    # No operation of that name is IAM's; nothing is answered in the name of the wrong service.
    assert answer.status in (400, 403) and answer.code in ("InvalidAction", "SignatureDoesNotMatch"), answer


def test_sdks_raise_these_errors(aws):
    client = aws.client("sqs", secret="wrong")
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.list_queues()
    assert refused.value.response["Error"]["Code"] in ("SignatureDoesNotMatch", "InvalidSignatureException")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
