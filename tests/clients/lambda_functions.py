"""What tests of Lambda share: a role, functions that go away after their test, and calls of them."""

import json
import uuid

import pytest
from test_lambda import RUNTIME, TRUST, arn, invoke, package, refused

__all__ = ["RUNTIME", "TRUST", "arn", "create", "invoke", "package", "refused", "role", "text"]


@pytest.fixture(scope="module")
def role(aws):
    """The ARN of a role that Lambda may assume."""
    role_name = f"lambda-{uuid.uuid4().hex[:8]}"
    return aws.client("iam").create_role(RoleName=role_name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


@pytest.fixture
def create(aws, role, name):
    """Makes a function, which is deleted after the test."""
    client = aws.client("lambda")
    made = []

    def make(source=None, function=name, **arguments):
        request = {
            "FunctionName": function,
            "Runtime": RUNTIME,
            "Role": role,
            "Handler": "handler.handle",
            "Code": {"ZipFile": package(source)},
            **arguments,
        }
        answer = client.create_function(**request)
        made.append(function)
        answer.pop("ResponseMetadata")
        return answer

    yield make
    for function in made:
        try:
            client.delete_function(FunctionName=function)
        except client.exceptions.ResourceNotFoundException:
            pass


def text(code, status, message, call, /, **arguments):
    """Calls, expects that error with that message."""
    response = refused(code, status, call, **arguments)
    assert response["Error"]["Message"] == message
    return response
