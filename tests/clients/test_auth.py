"""Who is refused at the door, in each protocol: status, code and message are AWS's."""

import datetime
import hashlib
import json
import re
import uuid
import xml.etree.ElementTree as ElementTree

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
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


def ask(aws, protocol, access_key="test", secret="test", token=None, ago=None, sign=True, change=None, query=False, path=None):
    """Sends a protocol's request, signed as told, and changed after that; returns the refusal."""
    service, method, usual_path, headers, body = REQUESTS[protocol]
    path = path or usual_path
    if query and headers is FORM:
        # A presigned form is a link: its parameters stand in the query.
        method, path, headers = "GET", f"/?{body.decode()}", {}
    if query:
        body = b""
    request = AWSRequest(method, aws.endpoint + path, headers=dict(headers), data=body)
    if protocol == "s3" and not query:
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    if sign:
        credentials = Credentials(access_key, secret, token)
        if query:
            signer = S3SigV4QueryAuth if protocol == "s3" else SigV4QueryAuth
            signer = signer(credentials, service, REGION, expires=60)
        else:
            signer = (S3SigV4Auth if protocol == "s3" else SigV4Auth)(credentials, service, REGION)
        now = datetime.datetime.now(datetime.timezone.utc) - (ago or datetime.timedelta(0))
        original = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *_, **__: now.replace(tzinfo=None)
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = original
    if change:
        change(request)
    return Answer(protocol, URLLib3Session().send(request.prepare()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_secret(aws, protocol):
    answer = ask(aws, protocol, secret="wrong")
    code = "InvalidSignatureException" if protocol == "lambda" else "SignatureDoesNotMatch"
    assert answer.facts() == (403, code), answer
    assert answer.message.startswith(MISMATCH), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("ago", [datetime.timedelta(minutes=30), datetime.timedelta(days=400)])
def test_a_request_signed_long_ago(aws, protocol, ago):
    answer = ask(aws, protocol, ago=ago)
    code = {"lambda": "InvalidSignatureException", "s3": "RequestTimeTooSkewed"}.get(protocol, "SignatureDoesNotMatch")
    assert answer.facts() == (403, code), answer
    if protocol == "s3":
        assert answer.message == "The difference between the request time and the current time is too large."
    else:
        assert re.fullmatch(SIGNATURE_EXPIRED, answer.message), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_signed_for_the_future(aws, protocol):
    answer = ask(aws, protocol, ago=datetime.timedelta(minutes=-30))
    code = {"lambda": "InvalidSignatureException", "s3": "RequestTimeTooSkewed"}.get(protocol, "SignatureDoesNotMatch")
    assert answer.facts() == (403, code), answer
    if protocol != "s3":
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
@pytest.mark.parametrize("token", ["forged", "A" * 400])
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
    code = "InvalidSignatureException" if protocol == "lambda" else "SignatureDoesNotMatch"
    assert answer.facts() == (403, code), answer


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
        code = "MissingAuthenticationToken"
        code += "Exception" if protocol == "lambda" else ""
        assert answer.facts() == (403, code), answer
        assert answer.message.endswith("issing Authentication Token"), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_malformed_authorization(aws, protocol):
    def replace(request):
        request.headers.replace_header("Authorization", "AWS4-HMAC-SHA256 Credential=test")

    answer = ask(aws, protocol, change=replace)
    expected = {
        "s3": (400, "AuthorizationHeaderMalformed"),
        "lambda": (403, "IncompleteSignatureException"),
    }.get(protocol, (400, "IncompleteSignature"))
    assert answer.facts() == expected, answer
    if protocol == "s3":
        assert answer.message.startswith("The authorization header is malformed; "), answer
    else:
        assert "Authorization header requires 'Signature' parameter. " in answer.message, answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_body_changed_on_the_way(aws, name, protocol):
    def tamper(request):
        request.data = request.data.replace(b"body", b"BODY").replace(b"{}", b"{ }").replace(b"&Version", b"&&Version")

    if protocol == "s3":
        # The body is read, and so found to be another, only where there is a place for it.
        aws.client("s3").create_bucket(Bucket=name)
        answer = ask(aws, protocol, change=tamper, path=f"/{name}/key")
    else:
        answer = ask(aws, protocol, change=tamper)
    if protocol == "s3":
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        assert (*answer.facts(), answer.message) == (400, "XAmzContentSHA256Mismatch", message), answer
    else:
        code = "InvalidSignatureException" if protocol == "lambda" else "SignatureDoesNotMatch"
        assert answer.facts() == (403, code), answer
        assert answer.message.startswith(MISMATCH), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_header_changed_on_the_way(aws, protocol):
    def tamper(request):
        date = request.headers["X-Amz-Date"]
        request.headers.replace_header("X-Amz-Date", date[:-2] + ("1" if date[-2] != "1" else "2") + "Z")

    answer = ask(aws, protocol, change=tamper)
    code = "InvalidSignatureException" if protocol == "lambda" else "SignatureDoesNotMatch"
    assert answer.facts() == (403, code), answer


def test_presigned_urls_end(aws):
    answer = ask(aws, "s3", query=True, ago=datetime.timedelta(seconds=90))
    assert (*answer.facts(), answer.message) == (403, "AccessDenied", "Request has expired"), answer
    answer = ask(aws, "s3", query=True, secret="wrong")
    assert answer.facts() == (403, "SignatureDoesNotMatch"), answer
    answer = ask(aws, "sts", query=True, ago=datetime.timedelta(minutes=20))
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
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
