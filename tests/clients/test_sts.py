"""STS: who is calling, and sessions of roles."""

import datetime
import json

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"


def refused(code, status, call, **arguments):
    """Calls, expects that error, and returns its message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    found = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert found == (code, status), response
    return response["Error"]["Message"]


def trust(principal, **statement):
    """A trust policy that names one principal."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def allow(action, resource="*"):
    """An identity policy that allows one thing."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make(aws, name, principal=None, policy=None, **arguments):
    """A role and its ARN."""
    iam = aws.client("iam")
    document = trust(principal or ROOT)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **arguments)["Role"]
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return role["Arn"]


def assume(aws, arn, session="one", as_client=None, **arguments):
    """A session's credentials."""
    client = as_client or aws.client("sts")
    return client.assume_role(RoleArn=arn, RoleSessionName=session, **arguments)["Credentials"]


def client_of(aws, service, credentials):
    """A client with a session's credentials."""
    keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    return aws.client(service, *keys)


def test_the_roots_of_accounts_are_who_they_say(aws):
    identity = aws.client("sts").get_caller_identity()
    assert (identity["UserId"], identity["Account"]) == (ACCOUNT, ACCOUNT)
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    other = aws.client("sts", access_key="123456789012").get_caller_identity()
    assert other["Arn"] == "arn:aws:iam::123456789012:root"


def test_the_cli_knows_who_it_is(aws):
    answer = json.loads(aws.cli("sts", "get-caller-identity").stdout)
    assert answer["Account"] == ACCOUNT


def test_a_session_is_itself(aws, name):
    arn = make(aws, name, Path="/deep/down/")
    answer = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="Some.One@x")
    credentials, user = answer["Credentials"], answer["AssumedRoleUser"]
    assert credentials["AccessKeyId"].startswith("ASIA") and len(credentials["AccessKeyId"]) == 20
    assert len(credentials["SecretAccessKey"]) == 40
    assert len(credentials["SessionToken"]) < 4096
    left = credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
    role_id = aws.client("iam").get_role(RoleName=name)["Role"]["RoleId"]
    assert user["AssumedRoleId"] == f"{role_id}:Some.One@x"
    # A session's name leaves the path out.
    assert user["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/Some.One@x"
    identity = client_of(aws, "sts", credentials).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (user["Arn"], user["AssumedRoleId"], ACCOUNT)


def test_durations(aws, name):
    arn = make(aws, name, MaxSessionDuration=7200)
    sts = aws.client("sts")
    for seconds in (900, 7200):
        expiration = assume(aws, arn, DurationSeconds=seconds)["Expiration"]
        left = (expiration - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        assert seconds - 60 < left <= seconds
    message = refused("ValidationError", 400, sts.assume_role, RoleArn=arn, RoleSessionName="one", DurationSeconds=7201)
    assert message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    sts = aws.client("sts", parameter_validation=False)
    for seconds in (899, 43201):
        message = refused(
            "ValidationError", 400, sts.assume_role, RoleArn=arn, RoleSessionName="one", DurationSeconds=seconds
        )
        assert "durationSeconds" in message, message


def test_a_role_that_is_not_there_and_one_that_trusts_others_look_the_same(aws, name):
    arn = make(aws, name, {"Service": "lambda.amazonaws.com"})
    sts = aws.client("sts")
    for role in (arn, arn + "-missing", arn.replace("role/", "role/other/")):
        message = refused("AccessDenied", 403, sts.assume_role, RoleArn=role, RoleSessionName="one")
        user = f"User: arn:aws:iam::{ACCOUNT}:root"
        assert message.startswith(f"{user} is not authorized to perform: sts:AssumeRole on resource: {role} "), message
    for text in ("arn:aws:iam::000000000000:user/someone", "not an arn but long enough"):
        message = refused("ValidationError", 400, sts.assume_role, RoleArn=text, RoleSessionName="one")
        assert message == f"{text} is invalid"


def test_trust_in_the_account_leaves_the_word_to_its_policies(aws, name):
    target = make(aws, name + "-target")
    silent = make(aws, name + "-silent")
    allowed = make(aws, name + "-allowed", policy=allow("sts:AssumeRole", target))
    sts = client_of(aws, "sts", assume(aws, allowed))
    chained = assume(aws, target, "two", sts)
    assert client_of(aws, "sts", chained).get_caller_identity()["Arn"].endswith("-target/two")
    sts = client_of(aws, "sts", assume(aws, silent))
    message = refused("AccessDenied", 403, sts.assume_role, RoleArn=target, RoleSessionName="two")
    user = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}-silent/one"
    assert message.startswith(f"{user} is not authorized to perform: sts:AssumeRole on resource: {target} ")


def test_trust_in_a_caller_is_enough_within_the_account(aws, name):
    role = make(aws, name + "-caller", Path="/deep/")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}-caller/one"
    by_role = make(aws, name + "-by-role", {"AWS": role})
    by_session = make(aws, name + "-by-session", {"AWS": session})
    one = client_of(aws, "sts", assume(aws, role, "one"))
    two = client_of(aws, "sts", assume(aws, role, "two"))
    assume(aws, by_role, "next", one)
    assume(aws, by_role, "next", two)
    assume(aws, by_session, "next", one)
    refused("AccessDenied", 403, two.assume_role, RoleArn=by_session, RoleSessionName="next")
    # A role does not trust itself unless it says so.
    refused("AccessDenied", 403, one.assume_role, RoleArn=role, RoleSessionName="next")


def test_a_chain_ends_after_an_hour(aws, name):
    role = make(aws, name, {"AWS": "*"}, MaxSessionDuration=43200)
    sts = client_of(aws, "sts", assume(aws, role))
    assume(aws, role, "two", sts, DurationSeconds=3600)
    message = refused("ValidationError", 400, sts.assume_role, RoleArn=role, RoleSessionName="two", DurationSeconds=3601)
    assert message == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."


def test_a_deny_in_the_trust_policy_beats_its_allow(aws, name):
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:RoleSessionName": "evil"}},
        },
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    arn = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assume(aws, arn, "good")
    refused("AccessDenied", 403, aws.client("sts").assume_role, RoleArn=arn, RoleSessionName="evil")


def test_an_external_id(aws, name):
    document = trust(ROOT, Condition={"StringEquals": {"sts:ExternalId": "secret/word"}})
    arn = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = aws.client("sts")
    assume(aws, arn, ExternalId="secret/word")
    refused("AccessDenied", 403, sts.assume_role, RoleArn=arn, RoleSessionName="one")
    refused("AccessDenied", 403, sts.assume_role, RoleArn=arn, RoleSessionName="one", ExternalId="other")


def test_other_accounts_need_both_sides(aws, name):
    other = "123456789012"
    arn = make(aws, name, {"AWS": other})
    stranger = aws.client("sts", access_key=other)
    credentials = assume(aws, arn, "visitor", stranger)
    assert client_of(aws, "sts", credentials).get_caller_identity()["Account"] == ACCOUNT
    nobody = aws.client("sts", access_key="210987654321")
    messages = [
        refused("AccessDenied", 403, nobody.assume_role, RoleArn=role, RoleSessionName="visitor")
        for role in (arn, arn + "-missing")
    ]
    # Other accounts do not learn which roles there are.
    assert messages[0] == messages[1].replace("-missing", "")
    # The account that the role is in is not the one that it trusts.
    refused("AccessDenied", 403, aws.client("sts").assume_role, RoleArn=arn, RoleSessionName="one")


def test_a_session_policy_bounds_the_role(aws, name):
    arn = make(aws, name, policy=allow(["iam:GetRole", "iam:ListRolePolicies"]))
    bound = assume(aws, arn, Policy=allow(["iam:GetRole", "iam:DeleteRole"]))
    iam = client_of(aws, "iam", bound)
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == arn
    message = refused("AccessDenied", 403, iam.list_role_policies, RoleName=name)
    assert "because no session policy allows the iam:ListRolePolicies action" in message
    message = refused("AccessDenied", 403, iam.delete_role, RoleName=name)
    assert "because no identity-based policy allows the iam:DeleteRole action" in message


def test_session_policies_are_checked(aws, name):
    arn = make(aws, name)
    sts = aws.client("sts")
    refused("MalformedPolicyDocument", 400, sts.assume_role, RoleArn=arn, RoleSessionName="one", Policy="{")
    large = allow("sqs:" + "x" * 2048)
    refused("ValidationError", 400, sts.assume_role, RoleArn=arn, RoleSessionName="one", Policy=large)
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="one", Policy=allow("sqs:*"))
    assert 0 < answer["PackedPolicySize"] < 100


@pytest.mark.parametrize(
    "member, value",
    [
        ("PolicyArns", [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]),
        ("Tags", [{"Key": "a", "Value": "b"}]),
        ("TransitiveTagKeys", ["a"]),
        ("SerialNumber", "arn:aws:iam::000000000000:mfa/me"),
        ("TokenCode", "123456"),
        ("SourceIdentity", "somebody"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(aws, name, member, value):
    arn = make(aws, name)
    arguments = {"RoleArn": arn, "RoleSessionName": "one", member: value}
    message = refused("NotImplemented", 501, aws.client("sts").assume_role, **arguments)
    assert message == f"Apus does not support AssumeRole with {member} yet."


def test_operations_that_are_not_supported_say_so(aws):
    message = refused("NotImplemented", 501, aws.client("sts").get_session_token)
    assert "sts:GetSessionToken" in message


def test_a_session_name_has_its_form(aws, name):
    arn = make(aws, name)
    sts = aws.client("sts", parameter_validation=False)
    for session in ("x", "with space", "y" * 65):
        refused("ValidationError", 400, sts.assume_role, RoleArn=arn, RoleSessionName=session)


def test_sessions_survive_a_restart(launch, tmp_path, name):
    first = launch(tmp_path / "data")
    credentials = assume(first, make(first, name))
    first.stop()
    second = launch(tmp_path / "data")
    assert client_of(second, "sts", credentials).get_caller_identity()["Arn"].endswith(f"{name}/one")


def test_sessions_of_another_instance_are_refused(aws, launch, tmp_path, name):
    other = launch(tmp_path / "other")
    credentials = assume(other, make(other, name))
    make(aws, name)
    sts = client_of(aws, "sts", credentials)
    message = refused("InvalidClientTokenId", 403, sts.get_caller_identity)
    assert message == "The security token included in the request is invalid."
